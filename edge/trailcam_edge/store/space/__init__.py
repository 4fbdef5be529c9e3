"""The disk space of a store: its limits, and what is deleted first."""

"""A benchmark session."""

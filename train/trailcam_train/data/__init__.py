"""Data sets: checks, groups, splits."""

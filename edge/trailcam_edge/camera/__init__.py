"""Frame capture."""

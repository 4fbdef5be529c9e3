"""The result record, its rows and checks."""

"""Downloads and verification of releases."""

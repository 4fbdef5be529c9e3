"""Classify any number of files: list them, spread them over processes, keep every answer in a journal."""

"""Decoding and resizing of pictures."""

"""Atomic writes and digests."""

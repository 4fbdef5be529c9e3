"""Comparison with other programs."""

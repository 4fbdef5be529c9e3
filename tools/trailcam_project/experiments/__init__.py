"""Measurements behind decisions."""

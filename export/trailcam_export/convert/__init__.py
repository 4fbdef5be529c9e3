"""Conversion and quantisation."""

"""Predictions of the models under comparison."""

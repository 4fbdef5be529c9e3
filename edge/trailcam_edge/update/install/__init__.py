"""Staging, self-test, activation and roll-back of a bundle."""

"""The drift gate: criteria, statistics and diagnosis."""

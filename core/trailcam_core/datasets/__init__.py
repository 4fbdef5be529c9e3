"""Run directories and out-of-distribution pictures."""

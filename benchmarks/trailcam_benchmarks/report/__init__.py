"""Reports of a benchmark."""

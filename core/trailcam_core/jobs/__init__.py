"""Long jobs: progress and the number of usable cores."""

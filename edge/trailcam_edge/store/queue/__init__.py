"""Visits that are open, and the queue that the sinks read."""

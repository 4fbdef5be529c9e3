"""Measure bundles: latency against the bare interpreter call, memory and accuracy."""

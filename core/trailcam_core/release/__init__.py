"""The release index, deltas and staged rollout."""

"""The host: identification, idle state, signals, environments."""

"""The composition of the device: services and supervisor."""

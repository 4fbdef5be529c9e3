"""Health readings and metrics of a device."""

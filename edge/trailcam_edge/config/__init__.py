"""The configuration file of a camera."""

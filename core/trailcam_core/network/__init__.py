"""Connections to other machines: SSH and TLS."""

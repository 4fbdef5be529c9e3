"""Provisioning and activation of one device."""

"""Inventory and parallel work on many devices."""

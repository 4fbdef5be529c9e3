"""Models that were trained elsewhere, of any kind, as runs."""

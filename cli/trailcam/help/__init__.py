"""Help beyond the parsers: examples of every command, and completion at the tab key."""

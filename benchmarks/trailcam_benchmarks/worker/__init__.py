"""Worker processes that measure, here and over SSH."""

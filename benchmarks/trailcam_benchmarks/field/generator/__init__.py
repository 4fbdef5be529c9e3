"""Generated clips: animals walk through a scene whose leaves, light and camera move; the truth is known."""

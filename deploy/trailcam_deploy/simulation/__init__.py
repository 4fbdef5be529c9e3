"""A fleet that never was: what a rollout costs one static host and a thousand cameras, and how long it takes."""

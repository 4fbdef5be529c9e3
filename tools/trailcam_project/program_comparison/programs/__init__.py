"""Programs that ``versus`` runs, each by its path with a Python of its own; nothing here is imported by Trailcam."""

"""Pictures of visits: their folder and their EXIF data."""

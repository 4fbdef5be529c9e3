"""The bundle: folder, manifest and golden vectors."""

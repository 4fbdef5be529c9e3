"""The export from request to bundles."""

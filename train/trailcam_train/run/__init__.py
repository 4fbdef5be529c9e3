"""The training from request to run directory."""

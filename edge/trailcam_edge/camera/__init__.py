"""Frame capture and the motion gate."""

"""Export as Camera Trap Data Package."""

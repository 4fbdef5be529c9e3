"""Selection and checks of calibration pictures."""

"""Programs of the comparison, each run by its path with a separate Python; Trailcam imports none of them."""

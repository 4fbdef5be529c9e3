"""The contract that every stage of Trailcam shares."""

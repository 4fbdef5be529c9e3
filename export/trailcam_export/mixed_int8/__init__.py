"""Search for layers to leave out of int8."""

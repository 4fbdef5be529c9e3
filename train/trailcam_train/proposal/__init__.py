"""A first choice of recipe, by data and machine."""

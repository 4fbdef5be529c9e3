"""Cut-outs of animals: cut from photographs, checked by eye on a page, and read for a field test."""

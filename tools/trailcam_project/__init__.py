"""Tools of the project itself: figures, studies, comparisons. Not part of the wheel."""

"""Pictures as a field camera gives them: cut-out animals on real scenes, device crops, night, stems and motion."""

"""Taking an earlier run up: its labels, its pictures, its weights and its answers."""

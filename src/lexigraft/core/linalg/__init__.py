"""Linear algebra by blocks."""

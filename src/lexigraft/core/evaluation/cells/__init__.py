"""Cells of a comparison: their results on disk, and their execution."""

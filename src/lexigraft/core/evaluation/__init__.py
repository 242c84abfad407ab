"""Cells of a comparison, their scores, and statistics."""

"""Cells of a comparison."""

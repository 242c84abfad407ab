"""Examination of a recipe, a machine and a tracking store before a comparison runs."""

"""Recipes and their files."""

"""Recipes: their schema, their defaults, and reading and writing them."""

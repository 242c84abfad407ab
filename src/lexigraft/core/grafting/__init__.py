"""Grafting, from the strategy contract to the written model."""

"""Adapters to outside frameworks."""

"""Augmenters, one file each."""

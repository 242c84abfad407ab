"""Initialization strategies, one file each."""

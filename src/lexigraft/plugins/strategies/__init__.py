"""Initialisation strategies, one file each."""

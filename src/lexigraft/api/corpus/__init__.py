"""Corpora of annotated text."""

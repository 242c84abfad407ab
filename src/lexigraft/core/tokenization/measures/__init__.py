"""Figures of tokenizers on a text."""

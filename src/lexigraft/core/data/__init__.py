"""Corpora, parallel text, dictionaries and other text."""

"""Bilingual dictionaries made and looked at."""

"""Transliteration of text into Latin letters."""

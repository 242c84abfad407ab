"""Typological databases of languages."""

"""Typological databases of languages: lookup of a language, and distances between two."""

"""Matching of the tokens of two vocabularies."""

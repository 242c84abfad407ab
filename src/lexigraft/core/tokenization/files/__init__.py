"""Tokenizers as files."""

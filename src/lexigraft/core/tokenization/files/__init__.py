"""Tokenizers as files: loading from any family's format, and saving."""

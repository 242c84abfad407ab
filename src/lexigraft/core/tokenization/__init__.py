"""Vocabularies as bytes, matching of tokens, and loading and training of tokenizers."""

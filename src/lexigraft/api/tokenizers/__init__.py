"""Tokenizers trained, extended, pruned and measured."""

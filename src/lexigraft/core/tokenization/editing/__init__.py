"""Vocabularies changed: tokens added by continued training, or pruned."""

"""Objectives, packing, and losses that never hold all logits."""

"""Mixtures of several texts in one training stream."""

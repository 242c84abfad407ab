"""The public contract suite: laws that every strategy keeps, checked on tiny models."""

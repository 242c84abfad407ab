"""Linear heads of evaluators and the sequences that they read."""

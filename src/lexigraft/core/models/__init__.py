"""Models and checkpoints."""

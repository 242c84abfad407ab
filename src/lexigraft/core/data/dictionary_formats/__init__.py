"""Dictionary files of several formats."""

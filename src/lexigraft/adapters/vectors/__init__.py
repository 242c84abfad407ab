"""fastText models and files of vectors."""

"""Static vectors: fastText models and vector files."""

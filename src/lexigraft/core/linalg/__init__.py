"""Linear algebra by blocks: nearest neighbors, sparsemax, OMP, linear maps, moments."""

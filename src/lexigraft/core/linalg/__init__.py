"""Linear algebra by blocks: neighbours, sparsemax, OMP, linear maps, moments."""

"""Word alignment of parallel text: fast_align, symmetrization, counts of translations."""

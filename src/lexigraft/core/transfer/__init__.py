"""Transfer between languages: what two texts share, and what explains the gains of donor and target pairs."""

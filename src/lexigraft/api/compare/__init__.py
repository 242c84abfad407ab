"""Comparisons of strategies: set-up, stages, cells, jobs on other machines."""

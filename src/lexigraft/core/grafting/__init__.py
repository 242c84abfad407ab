"""Grafting: the strategy contract, needs, plans, finished rows, the pipeline, and the writer of grafted models."""

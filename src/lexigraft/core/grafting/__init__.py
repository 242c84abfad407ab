"""From a strategy's plan to a verified folder: needs, rows, pipeline."""

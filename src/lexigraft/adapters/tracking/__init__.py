"""MLflow tracking of comparisons and single runs."""

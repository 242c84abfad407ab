"""The contract that every strategy keeps, as laws on tiny models."""

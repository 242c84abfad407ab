"""Mathematics that several strategies share."""

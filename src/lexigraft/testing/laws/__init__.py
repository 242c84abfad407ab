"""Laws of the contract, one file for each kind."""

"""Transfer studies: which language helps which."""

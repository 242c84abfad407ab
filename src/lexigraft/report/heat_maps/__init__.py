"""Heat maps of the pages."""

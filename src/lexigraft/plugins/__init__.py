"""One file per method; dropping a file in is all it takes."""

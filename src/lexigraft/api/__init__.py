"""The Python API, with one module for each command."""

"""Packages without a command line, each of which imports only those below it (docs/architecture.md)."""

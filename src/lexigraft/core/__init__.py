"""Packages without a command line, in one order: each imports only those below it (docs/architecture.md)."""

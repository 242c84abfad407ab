"""Pure parts: torch, transformers, tokenizers, numpy. Imports neither plugins, adapters nor cli."""

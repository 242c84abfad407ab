"""Names of the metrics that a comparison's report has places of its own for."""

from __future__ import annotations

TARGET, SOURCE = "bits_per_byte/heldout", "bits_per_byte/source"
FERTILITY, LOSSLESS, UNKNOWN = "tokens_per_word/heldout", "lossless_share/heldout", "unknown_share/heldout"
OF_TOKENS = ("bits_per_byte_seen_", "bits_per_byte_moved")
"""How figures of groups of tokens begin; those of the held-out text have a table of their own."""
MOVED = "moved"
"""The group of the tokens whose rows a strategy made."""

"""Estimated training tokens, tables and memory of a recipe."""

from __future__ import annotations

from lexigraft.api.doctor.findings import Findings
from lexigraft.api.doctor.machine import total_memory
from lexigraft.core.config.adaptation import AdaptSettings, shielded_share
from lexigraft.core.config.recipe import CompareSettings, TokenizerSettings
from lexigraft.core.config.tokenizer_changes import TokenizerChangeSettings
from lexigraft.core.models.disk_model import Header
from lexigraft.core.tokenization.vocabulary import Vocabulary


def target_rows(recipe: CompareSettings, header: Header, target: Vocabulary | None) -> int | None:
    """Tokens of the target vocabulary, as far as they are known before it is trained."""
    asked = recipe.target_tokenizer
    if isinstance(asked, TokenizerSettings):
        return asked.size
    if isinstance(asked, TokenizerChangeSettings):
        return asked.tokens(header.rows)
    return target.size if target else None


def report_sizes(
    findings: Findings, recipe: CompareSettings, header: Header | None, rows: int | None, cells: int
) -> None:
    """Report training tokens, tables and memory of a cell, as far as the source's header and the target are known."""
    adaptation = recipe.adaptation
    tokens = adaptation.steps * adaptation.batch_tokens
    length = f"{adaptation.steps:,} steps × {adaptation.batch_tokens:,} tokens = {tokens:,} tokens"
    findings.good(f"training: {length} in each of {cells} cells")
    if header is None or rows is None:
        return
    tables = 1 if header.tied else 2
    new = rows * header.hidden * tables
    shown = f"{header.rows:,} × {header.hidden} become {rows:,} × {header.hidden}"
    findings.good(f"tables: {shown}, {new * 4 / 1e6:,.1f} MB in float32")
    needed = cell_bytes(adaptation, header, rows)
    add = findings.note if needed > 0.9 * total_memory() else findings.good
    add(f"memory: about {needed / 1e9:.2f} GB for one cell, beside the libraries' own 0.5 GB")


def cell_bytes(adaptation: AdaptSettings, header: Header, rows: int) -> int:
    """Bytes that one cell needs at most, beside the libraries' own.

    Args:
        adaptation: How the model is adapted.
        header: The source's sizes.
        rows: Tokens of the target vocabulary.
    """
    tables = 1 if header.tied else 2
    old, new = (n * header.hidden * tables for n in (header.rows, rows))
    body = header.parameters - old
    whole_body = adaptation.body == "full" or shielded_share(adaptation.body) > 0
    trained = (new if adaptation.embeddings != "frozen" else 0) + (body if whole_body else 0)
    logits = adaptation.batch_tokens * rows
    # Model, the float32 source tables, new rows twice while they are made, AdamW's gradient and moments, logits thrice.
    return (body + new) * header.bytes_per_value + 4 * (old + 2 * new) + 12 * trained + 12 * logits

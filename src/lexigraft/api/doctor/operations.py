"""Floating-point operations of a recipe's training, and what a GPU takes for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lexigraft.api.doctor.findings import Findings
from lexigraft.api.objectives import objective_for
from lexigraft.core.config.adaptation import AdaptSettings, Phase
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.grafting.strategy import Body, Strategy
from lexigraft.core.models.disk_model import Header
from lexigraft.core.models.loading import load_config
from lexigraft.report.formats import seconds


def report_operations(
    findings: Findings,
    recipe: CompareSettings,
    header: Header,
    rows: int,
    chains: Mapping[str, Sequence[Strategy]],
    teraflops: float,
) -> float:
    """Report the operations of all cells on the source's body, and their time on a GPU.

    Args:
        findings: Where it is reported.
        recipe: The recipe.
        header: The source's sizes.
        rows: Tokens of the target vocabulary.
        chains: The recipe's strategies by label.
        teraflops: 10^12 operations per second that the GPU keeps up.

    Returns:
        The seconds of all cells.
    """
    config = load_config(recipe.source)
    layers = getattr(config.get_text_config(), "num_hidden_layers", 0)
    total = cells = 0.0
    for line in recipe.lines:
        chain = chains[line.label]
        if chain[0].body is Body.TARGET:
            continue
        settings, keeps = line.adaptation, all(strategy.keeps_tokenizer for strategy in chain)
        objective = objective_for(config, settings.objective, settings.objective_options)
        predicted = getattr(objective, "mask_share", 1.0)
        one = training_operations(settings, header, header.rows if keeps else rows, layers, predicted)
        total += one * len(recipe.seeds)
        cells += len(recipe.seeds)
    taken = total / (teraflops * 1e12)
    findings.good(
        f"'{recipe.name}' on a GPU: about {total / 1e15:,.1f} PFLOP to train {cells:.0f} cells on the source's body, "
        f"{seconds(taken)} at {teraflops:g} TFLOP/s; without measuring, what strategies learn and the CPU's work"
    )
    return taken


def training_operations(settings: AdaptSettings, header: Header, rows: int, layers: int, predicted: float) -> float:
    """Floating-point operations of the matrix products of an adaptation.

    By value of a weight and token (Kaplan et al. 2020, section 2.1) 2 in the forward pass, 2 for the gradient that
    passes through, and 2 for its own gradient where it trains. Attention between all pairs of a sequence costs 12 ×
    width × sequence length by layer and token. LoRA's own layers, a percent or two, are left out.

    Args:
        settings: The adaptation.
        header: The source's sizes.
        rows: Rows of the output table.
        layers: Layers of the body.
        predicted: Share of the tokens for which the head computes logits.
    """
    attention = 12 * layers * header.hidden * settings.sequence_length
    parts: Sequence[AdaptSettings | Phase] = settings.phases or [settings]
    total = 0.0
    for part in parts:
        body = 4 if part.body in ("lora", "frozen") else 6
        table = part.embeddings if header.tied else part.head
        head = 4 if table in ("lora", "frozen") else 6
        token = body * header.body + head * predicted * rows * header.hidden + attention
        total += part.steps * settings.batch_tokens * token
    return total

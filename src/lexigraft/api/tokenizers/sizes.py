"""A sweep over vocabulary sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lexigraft.api.inputs import StrategyInputs
from lexigraft.api.probe import ModelProbe, ProbeSettings, hold_out
from lexigraft.core.data.corpus import Corpus, load_corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.scores import ItemScores
from lexigraft.core.evaluation.statistics.intervals import estimate, holm
from lexigraft.core.evaluation.statistics.paired_comparison import LEVEL, Difference, difference
from lexigraft.core.grafting.chains import named_specs
from lexigraft.core.grafting.needs import refuse_missing
from lexigraft.core.grafting.pipeline import make_chain
from lexigraft.core.models.disk_model import read_header
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.measures.tokenizer_measures import measure_tokenizer
from lexigraft.core.tokenization.vocabulary import Vocabulary

Paths = Sequence[str | Path]


@dataclass(frozen=True)
class SizeMeasures:
    """One size of a vocabulary.

    Attributes:
        added: New tokens; 0 is the source.
        fertility: Tokens per word of held-out text; ``None`` for scripts without spaces.
        length: Tokens of that text over the source's.
        parameters: Parameters that the new tokens add; ``None`` without a model.
        bits_per_byte: After the probe, mean over seeds; ``None`` without a model.
        half_width: Half of its 95% interval over seeds; ``None`` with one seed.
        above_best: How far it is above the best size, paired by line and seed; ``None`` for the best.
        above_best_half_width: Half of the 95% interval of that.
        p: Of no difference from the best, Holm-corrected.
    """

    added: int
    fertility: float | None
    length: float
    parameters: int | None = None
    bits_per_byte: float | None = None
    half_width: float | None = None
    above_best: float | None = None
    above_best_half_width: float | None = None
    p: float | None = None


@dataclass(frozen=True)
class SizeSweep:
    """Sizes of a vocabulary side by side.

    Attributes:
        sizes: The sizes, the source first.
        notes: What the figures say, and what they cannot say.
    """

    sizes: tuple[SizeMeasures, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def table(self) -> tuple[tuple[str, ...], list[list[str]]]:
        """Columns and rows for people; what is unknown is a dash."""

        def with_error(value: float | None, half: float | None) -> str:
            return "-" if value is None else f"{value:.3f}" + ("" if half is None else f" ± {half:.3f}")

        columns = (
            "tokens added",
            "tokens per word",
            "tokens over source's",
            "parameters",
            "bits per byte",
            "above best",
        )
        rows = [
            [
                f"{one.added:,}",
                "-" if one.fertility is None else f"{one.fertility:.3f}",
                f"{one.length:.3f}",
                "-" if one.parameters is None else f"{one.parameters:,}",
                with_error(one.bits_per_byte, one.half_width),
                with_error(one.above_best, one.above_best_half_width),
            ]
            for one in self.sizes
        ]
        return columns, rows


def sweep_sizes(
    corpus: Paths,
    sizes: Sequence[int],
    *,
    source: str | Path | None = None,
    method: str | None = None,
    model: str | None = None,
    strategy: str = "subword_mean",
    steps: int = 50,
    seeds: int = 3,
) -> SizeSweep:
    """Extend a tokenizer to several sizes and compare them on a tenth of the text, of which they have seen nothing.

    With a model each size is probed too: the model gets the vocabulary, is adapted for some steps of the same number of
    tokens, and its bits per byte are compared with the best size's, paired by line and seed.

    Args:
        corpus: Files of text.
        sizes: Numbers of tokens to add.
        source: The tokenizer, where there is no model.
        method: As for extending.
        model: Folder or Hub name of the model to probe, whose tokenizer is extended; ``None`` probes none.
        strategy: The strategy that fills the new rows.
        steps: Steps of each adaptation.
        seeds: Adaptations of each size.

    Returns:
        The sizes, and sentences on them.

    Raises:
        LexigraftError: Anything wrong with the inputs.
    """
    from lexigraft.core.tokenization.editing.extension import extend

    if not sizes or min(sizes) < 1:
        raise LexigraftError("a number of tokens to add is not positive", ", ".join(map(str, sizes)), "Give 1 or more")
    if (source is None) is (model is None):
        given = "neither" if model is None else "both"
        raise LexigraftError("a sweep extends the tokenizer of either --source or --model", given, "Give one of them")
    train, lines = hold_out(load_corpus(list(corpus)))
    if model is not None:
        chain = make_chain(named_specs(strategy))
        able = StrategyInputs(source=model, corpus=lambda: train).available_needs()
        refuse_missing({one.name: one.required_needs() for one in chain}, able)
    before = load_vocabulary(source if source is not None else str(model))
    grown = [before, *(extend(before, train.lines, size, method) for size in sorted(set(sizes)))]
    measures = [measure_tokenizer(one, lines.lines) for one in grown]
    found = [
        SizeMeasures(one.size - before.size, measured.fertility, measured.tokens / measures[0].tokens)
        for one, measured in zip(grown, measures, strict=True)
    ]
    if model is None:
        return SizeSweep(tuple(found), ())
    header = read_header(model)
    tables = 1 if header.tied else 2
    found = [replace(one, parameters=one.added * header.hidden * tables) for one in found]
    runs = [_probed(model, one, train, lines, "keep" if one is before else strategy, steps, seeds) for one in grown]
    return _compared(found, runs, steps)


def _probed(
    model: str, target: Vocabulary, train: Corpus, lines: Corpus, strategy: str, steps: int, seeds: int
) -> list[ItemScores]:
    from lexigraft.core.utils.cache import cache_folder

    inputs = StrategyInputs(source=model, corpus=lambda: train)
    loaders = inputs.loaders(target, cache_folder())
    probe = ModelProbe(ProbeSettings(model), target, train, lines, loaders, within_word="left_to_right")
    runs = (probe(named_specs(strategy), steps=steps, seed=seed) for seed in range(seeds))
    return [ItemScores.of(run.bits, run.bytes) for run in runs]


def _compared(found: Sequence[SizeMeasures], runs: Sequence[list[ItemScores]], steps: int) -> SizeSweep:
    means = [estimate([one.ratio for one in scores]) for scores in runs]
    best = min(range(len(found)), key=lambda n: means[n].mean)
    apart = {n: difference(runs[n], runs[best]) for n in range(len(found)) if n != best}
    p_values = {int(n): p for n, p in holm({str(n): one.p for n, one in apart.items()}).items()}
    sizes = [
        replace(
            one,
            bits_per_byte=means[n].mean,
            half_width=means[n].half_width,
            above_best=apart[n].mean if n in apart else None,
            above_best_half_width=apart[n].half_width if n in apart else None,
            p=p_values.get(n),
        )
        for n, one in enumerate(found)
    ]
    return SizeSweep(tuple(sizes), tuple(_sentences(sizes, best, apart, steps)))


def _sentences(sizes: Sequence[SizeMeasures], best: int, apart: dict[int, Difference], steps: int) -> list[str]:
    equal = [n for n in apart if (sizes[n].p or 0) > 1 - LEVEL]
    first = f"best after {steps} steps: {sizes[best].added:,} tokens added"
    if not equal:
        return [f"{first}; every other size is told apart from it"]
    names = ", ".join(f"{sizes[n].added:,}" for n in equal)
    detectable = max(apart[n].detectable for n in equal)
    fewest = min(sizes[n].added for n in [best, *equal])
    return [
        f"{first}; not told apart from it: {names}",
        f"a difference of {detectable:.3f} bits per byte would have been found, four times of five",
        f"the fewest tokens that are not told apart from the best: {fewest:,}",
    ]

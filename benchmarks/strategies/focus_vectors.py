"""FOCUS on little text: which vectors tell tokens apart, and whether the rows are better for it.

    LEXIGRAFT_DATA=… LEXIGRAFT_MODELS=… python benchmarks/strategies/focus_vectors.py CASE FOLDER [DEMO]

CASE is `quechua` or `swahili` (masked English model), or `clone`: the demo's cloned language and causal model, in the
folder DEMO that `lexigraft demo --out DEMO` has made. Every seed draws other 6,000 lines, which train the tokenizer,
the vectors and then the model. `TRAINED` are measured on the same held-out lines right after the graft and after
adaptation, with every seed; the other arms right after the graft, with the first. `N removed` is `all_but_the_top`.
Figures are kept in FOLDER and not made again.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from lexigraft.adapters.training.adapt import adapt
from lexigraft.adapters.vectors.target_vectors import train_target_vectors, without_common_parts
from lexigraft.api.objectives import objective_for
from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.config.recipe import DictionarySettings, TokenizerSettings, VectorSettings
from lexigraft.core.data.corpus import Corpus, load_corpus
from lexigraft.core.data.dictionary import load_dictionary
from lexigraft.core.evaluation.statistics.intervals import estimate, recovered_share
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.pipeline import Grafted, graft_model, make_chain
from lexigraft.core.grafting.resources import StaticVectors
from lexigraft.core.linalg.nearest import unit_rows
from lexigraft.core.methods.compass import CompassSettings, build_compass
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.tokenization.training import train_tokenizer
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.files import replacing
from lexigraft.plugins.evaluators.bits_per_byte import BitsPerByte
from lexigraft.report.formats import interval

DATA, MODELS = (Path(os.environ.get(name, "")) for name in ("LEXIGRAFT_DATA", "LEXIGRAFT_MODELS"))
LINES, HELDOUT, SEEDS, STEPS = 6_000, 40, range(3), 40
MEASURE = BitsPerByte(within_word="whole", stripes=4)
PPMI = CompassSettings(min_count=1)

FASTTEXT: dict[str, dict[str, Any]] = {
    "3 epochs": {"epochs": 3},
    **{f"3 epochs, {n} removed": {"epochs": 3, "all_but_the_top": n} for n in (0, 1, 3, 10)},
    "3 epochs, n-grams": {"epochs": 3, "char_ngrams": (3, 6)},
    "3 epochs, n-grams, 3 removed": {"epochs": 3, "char_ngrams": (3, 6), "all_but_the_top": 3},
    "20 epochs": {"epochs": 20},
    **{f"20 epochs, {n} removed": {"epochs": 20, "all_but_the_top": n} for n in (0, 3)},
    "20 epochs, dim 100": {"epochs": 20, "dim": 100},
    "20 epochs, dim 100, n-grams": {"epochs": 20, "dim": 100, "char_ngrams": (3, 6)},
    "60 epochs, dim 100": {"epochs": 60, "dim": 100},
}
JOINED: dict[str, tuple[str, ...]] = {
    "20 epochs, 0 removed & PPMI": ("20 epochs, 0 removed", "PPMI"),
    "20 epochs, 0 removed & characters": ("20 epochs, 0 removed", "characters"),
}
TEMPERATURES = {
    "3 epochs": (0.3, 0.1),
    "20 epochs": (0.3, 0.1),
    "20 epochs, 0 removed": (3.0, 0.3, 0.1),
    "PPMI": (3.0, 0.3, 0.1),
}
FOCUS: dict[str, tuple[str, float]] = {
    **{name: (name, 1.0) for name in (*FASTTEXT, "random vectors", "characters", "PPMI", "PPMI, 0 removed", *JOINED)},
    **{f"{name}; temperature {t}": (name, t) for name, temperatures in TEMPERATURES.items() for t in temperatures},
}
CONTROLS = ("random", "mean", "subword_mean", "oracle")
ARMS = (*CONTROLS, *FOCUS)
TRAINED = (
    *("3 epochs", "20 epochs", "random", "oracle", "20 epochs, 0 removed", "random vectors", "PPMI"),
    *("3 epochs, 0 removed", "60 epochs, dim 100", "20 epochs, 0 removed & PPMI", "subword_mean"),
)
UNTRAINED = tuple(name for name in ARMS if name not in TRAINED)
SPREAD = {"gap": "{:.3f}", "anchors": "{:,.0f}", "effective": "{:,.0f}"}

Figures = dict[str, dict[str, float]]
"""Figures by arm and name."""


class Case(NamedTuple):
    """A language: its text and held-out lines, the source model, and the word links of a cloned language."""

    lines: Sequence[str]
    heldout: Sequence[str]
    source: str
    tokenizer: TokenizerSettings
    batch_tokens: int
    links: str | None = None

    def sample(self, seed: int) -> Corpus:
        """`LINES` lines."""
        order = np.random.default_rng(seed).permutation(len(self.lines))
        return Corpus.of(self.lines[i] for i in order[:LINES])


def main(name: str, folder: str, demo: str = "") -> None:
    """Print the table."""
    work = Path(folder) / name
    work.mkdir(parents=True, exist_ok=True)
    case = _case(name, Path(demo))
    _print([_measured(case, work, seed) for seed in SEEDS])


def _case(name: str, demo: Path) -> Case:
    if name == "clone":
        [data], [rich] = demo.glob("data-*"), demo.glob("rich-*")
        text, heldout = (
            (data / f"clone{kind}.txt").read_text(encoding="utf-8").splitlines() for kind in ("", ".heldout")
        )
        tokenizer = TokenizerSettings(size=3000, byte_fallback=True)
        return Case(text, heldout, str(rich), tokenizer, 1024, str(data / "links.tsv"))
    files = {"quechua": ("quechua/qubert.txt.gz", "quechua/leipzig.txt.gz"), "swahili": ("swahili/train.swa.gz",)}
    read = load_corpus([DATA / file for file in files[name]]).lines
    lines = [read[i] for i in np.random.default_rng(0).permutation(len(read))]
    tokenizer = TokenizerSettings(size=6000, lowercase=True)
    return Case(lines[HELDOUT:], lines[:HELDOUT], str(MODELS / "minilm-mlm-en"), tokenizer, 512)


def _measured(case: Case, work: Path, seed: int) -> Figures:
    """Figures of the arms of one seed, made or read; saved after every arm."""
    path = work / f"figures-{seed}.json"
    figures: Figures = json.loads(path.read_text()) if path.exists() else {}
    train = case.sample(seed)
    vocabulary = Vocabulary.of(train_tokenizer(case.tokenizer, train))
    words = sum(len(line.split()) for line in train.lines)
    print(f"seed {seed}: {words:,} words, {sum(map(len, vocabulary.encode(train.lines))):,} tokens", flush=True)
    makers = _makers(case, train, vocabulary, work, seed)

    links = {Need.GOLD_LINKS: lambda: load_dictionary(DictionarySettings(path=[str(case.links)]))}

    def measure(name: str) -> dict[str, float]:
        vectors, temperature = FOCUS.get(name, ("", 1.0))
        static = makers[vectors]() if vectors else None
        chain = make_chain([("focus", {"temperature": temperature}) if vectors else (name, {})])
        loaders = {Need.TARGET_VECTORS: lambda: static} if vectors else links
        grafted = graft_model(case.source, vocabulary, chain, loaders, seed=seed)
        done = {"bits": _bits(grafted, case.heldout), **(_spread(grafted, static) if static else {})}
        if name in TRAINED:
            settings = AdaptSettings(steps=STEPS, batch_tokens=case.batch_tokens, learning_rate=1e-3, seed=seed)
            adapt(grafted.model, vocabulary, train, settings, objective=objective_for(grafted.model.config, None, {}))
            done["adapted"] = _bits(grafted, case.heldout)
        return done

    for name in TRAINED + UNTRAINED * (seed == SEEDS[0]):
        if name in figures or (name == "oracle" and not case.links):
            continue
        figures[name] = measure(name)
        with replacing(path) as draft:
            draft.write_text(json.dumps(figures, indent=1))
        print(name, figures[name], flush=True)
    return figures


def _makers(
    case: Case, train: Corpus, vocabulary: Vocabulary, work: Path, seed: int
) -> dict[str, Callable[[], StaticVectors]]:
    """What makes the vectors of each name."""

    def fasttext(fields: Mapping[str, Any]) -> StaticVectors:
        settings = VectorSettings(**fields)
        return without_common_parts(train_target_vectors(train, vocabulary, settings, work), settings.all_but_the_top)

    def like_fasttext(rows: torch.Tensor) -> StaticVectors:
        here = fasttext({}).present
        return StaticVectors(rows * torch.from_numpy(here)[:, None], here, {})

    def random() -> StaticVectors:
        return like_fasttext(torch.randn(vocabulary.size, 300, generator=torch.Generator().manual_seed(seed)))

    def characters() -> StaticVectors:
        from sklearn.feature_extraction.text import HashingVectorizer

        hashed = HashingVectorizer(analyzer="char", ngram_range=(1, 4), n_features=2**11, lowercase=False)
        return like_fasttext(torch.from_numpy(hashed.transform(vocabulary.tokens).toarray()).float())

    @cache
    def ppmi() -> StaticVectors:
        return build_compass(train.lines, DiskModel(case.source).vocabulary, vocabulary, PPMI).target

    def joined(names: Sequence[str]) -> StaticVectors:
        parts = [makers[name]() for name in names]
        present = np.logical_or.reduce([part.present for part in parts])
        return StaticVectors(torch.cat([unit_rows(part.vectors) for part in parts], dim=1), present, {})

    makers: dict[str, Callable[[], StaticVectors]] = {
        **{name: lambda fields=fields: fasttext(fields) for name, fields in FASTTEXT.items()},
        "random vectors": random,
        "characters": characters,
        "PPMI": ppmi,
        "PPMI, 0 removed": lambda: without_common_parts(ppmi(), 0),
        **{name: lambda parts=parts: joined(parts) for name, parts in JOINED.items()},
    }
    return makers


def _bits(grafted: Grafted, lines: Sequence[str]) -> float:
    size = sum(len(line.encode()) for line in lines)
    return float(MEASURE.line_bits(grafted.model, grafted.vocabulary, lines).sum()) / size


def _spread(grafted: Grafted, static: StaticVectors) -> dict[str, float]:
    """Medians of the new tokens: how far the nearest anchor's cosine lies above the middle one's, how many anchors
    share a row, and how many effectively do.
    """
    new, anchors = (ids[static.present[ids]] for ids in (grafted.alignment.new, grafted.alignment.matched))
    cosines = unit_rows(static.vectors[new]) @ unit_rows(static.vectors[anchors]).T
    mix = grafted.rows.provenance.mix.take(new)
    return {
        "gap": float((cosines.max(1).values - cosines.median(1).values).median()),
        "anchors": float(np.median(np.diff(mix.indptr))),
        "effective": float(np.median(mix.effective_sources)),
    }


def _print(seeds: Sequence[Figures]) -> None:
    """Bits per byte right after the graft and after adaptation, and the latter's difference to the default vectors.

    An arm that was not measured with every seed, because the run was stopped, has the mean of those that it was.
    """
    columns = ("arm", *SPREAD, "step 0", "seeds", "adapted", "minus 3 epochs", "recovered")
    print(f"| {' | '.join(columns)} |\n|---|{'--:|' * (len(columns) - 1)}")
    for name in (name for name in ARMS if name in seeds[0]):
        first = seeds[0][name]
        spread = [form.format(first[key]) if key in first else "–" for key, form in SPREAD.items()]
        ends = ["–"] * 4
        if measured := [figures for figures in seeds if "adapted" in figures.get(name, {})]:
            ends[0], ends[1] = str(len(measured)), interval(estimate([f[name]["adapted"] for f in measured]))
            ends[2] = interval(estimate([f[name]["adapted"] - f["3 epochs"]["adapted"] for f in measured]))
            if "oracle" in seeds[0]:
                ends_of = [[f[arm]["adapted"] for arm in ("random", name, "oracle")] for f in measured]
                ends[3] = f"{np.mean([recovered_share(*three) for three in ends_of]):.0%}"
        print(f"| {name} | {' | '.join(spread)} | {first['bits']:.3f} | {' | '.join(ends)} |")


if __name__ == "__main__":
    main(*sys.argv[1:4])

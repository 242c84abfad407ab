"""FOCUS on little text: which vectors tell tokens apart, and whether the rows are better for it.

    LEXIGRAFT_DATA=… LEXIGRAFT_MODELS=… python benchmarks/strategies/focus_vectors.py CASE FOLDER [DEMO]

CASE is `quechua` or `swahili` (masked English model), or `clone`: the demo's cloned language and causal model, in the
folder DEMO that `lexigraft demo --out DEMO` has made. Every seed draws other 6,000 lines, which train the tokenizer,
the vectors and then the model. All arms are measured on the same held-out lines right after the graft, with the first
seed; `TRAINED` are also measured after adaptation, with every seed. Figures are kept in FOLDER and not made again.
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
from lexigraft.core.evaluation.statistics.intervals import Estimate, estimate, recovered_share
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
    "3 epochs": {},
    **{f"3 epochs, {n} removed": {"all_but_the_top": n} for n in (0, 1, 3, 10)},
    "3 epochs, n-grams": {"char_ngrams": (3, 6)},
    "3 epochs, n-grams, 3 removed": {"char_ngrams": (3, 6), "all_but_the_top": 3},
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
    *("3 epochs", "random vectors", "20 epochs, 0 removed", "PPMI", "20 epochs, 0 removed & PPMI"),
    *("random", "oracle", "subword_mean"),
)

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

    def measure(name: str, strategy: str, fields: Mapping[str, Any], loaders: Mapping[Need, Any]) -> None:
        done = figures.get(name, {})
        if "bits" in done and ("adapted" in done or name not in TRAINED):
            return
        grafted = graft_model(case.source, vocabulary, make_chain([(strategy, dict(fields))]), loaders, seed=seed)
        if "bits" not in done:
            done = {"bits": _bits(grafted, case.heldout), **_spread(grafted)}
        if name in TRAINED:
            settings = AdaptSettings(steps=STEPS, batch_tokens=case.batch_tokens, learning_rate=1e-3, seed=seed)
            adapt(grafted.model, vocabulary, train, settings, objective=objective_for(grafted.model.config, None, {}))
            done["adapted"] = _bits(grafted, case.heldout)
        figures[name] = done
        with replacing(path) as draft:
            draft.write_text(json.dumps(figures, indent=1))
        print(name, {key: round(value, 4) for key, value in done.items()}, flush=True)

    links = {Need.GOLD_LINKS: lambda: load_dictionary(DictionarySettings(path=[str(case.links)]))}
    for name in sorted(ARMS if seed == SEEDS[0] else TRAINED, key=lambda name: name not in TRAINED):
        if name in FOCUS:
            vectors, temperature = FOCUS[name]
            measure(name, "focus", {"temperature": temperature}, {Need.TARGET_VECTORS: makers[vectors]})
        elif name != "oracle" or case.links:
            measure(name, name, {}, links)
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


def _spread(grafted: Grafted) -> dict[str, float]:
    """The median of new tokens: how many anchors share a row, and how many effectively do."""
    new = np.flatnonzero(np.array([rule == "focus" for rule in grafted.rows.provenance.rules]))
    if not len(new):
        return {}
    mix = grafted.rows.provenance.mix.take(new)
    return {"anchors": float(np.median(np.diff(mix.indptr))), "effective": float(np.median(mix.effective_sources))}


def _print(seeds: Sequence[Figures]) -> None:
    """Bits per byte right after the graft and after adaptation, and the latter's difference to the default vectors."""

    def over_seeds(value: Callable[[Figures], float]) -> Estimate:
        return estimate([value(figures) for figures in seeds])

    columns = ("arm", "anchors", "effective", "step 0", "adapted", "minus 3 epochs", "recovered")
    print(f"| {' | '.join(columns)} |\n|---|{'--:|' * (len(columns) - 1)}")
    for name in (name for name in ARMS if name in seeds[0]):
        first = seeds[0][name]
        spread = [f"{first[key]:,.0f}" if key in first else "–" for key in ("anchors", "effective")]
        ends = ["–"] * 3
        if name in TRAINED:
            ends[0] = interval(over_seeds(lambda f, n=name: f[n]["adapted"]))
            ends[1] = interval(over_seeds(lambda f, n=name: f[n]["adapted"] - f["3 epochs"]["adapted"]))
            if "oracle" in seeds[0]:
                shares = [recovered_share(*(f[a]["adapted"] for a in ("random", name, "oracle"))) for f in seeds]
                ends[2] = f"{np.mean(shares):.0%}"
        print(f"| {name} | {' | '.join(spread)} | {first['bits']:.3f} | {' | '.join(ends)} |")


if __name__ == "__main__":
    main(*sys.argv[1:4])

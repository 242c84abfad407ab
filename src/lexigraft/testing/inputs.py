"""Fixture model with synthetic inputs for every need."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from lexigraft.core.grafting.needs import Need, NeedSpec, need_specs
from lexigraft.core.grafting.resources import (
    Loader,
    ParallelText,
    PoorModel,
    ProbeRun,
    StaticVectors,
    Watch,
    Words,
    WordSpace,
    WordVectors,
)
from lexigraft.core.models.tables import Role, Tables, tables_of
from lexigraft.core.registry import PluginSpec
from lexigraft.core.tokenization.matching.alignment import NEW, Alignment, align
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.folders import Folders
from lexigraft.testing.sample_text import SOURCE_TEXT, TARGET_TEXT
from lexigraft.testing.tiny_models import FixtureSpec, build, spec
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

REPEATS = 10
PAIRS = 60
DIM = 12
EXTRA_TOKENS = ("qhatukuna", "wasikunapaq", "ñawinchanqa", "yvytu", "水边")


@dataclass(frozen=True, eq=False)
class Fixture:
    """One fixture model with a target vocabulary, and synthetic inputs for every need.

    Attributes:
        spec: The fixture.
        model: Its model.
        source: The model's vocabulary.
        target: The vocabulary to graft.
        alignment: Which source token each target token matched, by which rule.
    """

    spec: FixtureSpec
    model: PreTrainedModel
    source: Vocabulary
    target: Vocabulary
    alignment: Alignment

    @classmethod
    def of(cls, name: str) -> Fixture:
        """A fixture by name; raises ``UnknownName`` for an unknown one."""
        chosen = spec(name)
        source = Vocabulary.of(tiny_tokenizer(chosen.source, "source"))
        target = Vocabulary.of(tiny_tokenizer(chosen.target, "target"))
        return cls(chosen, build(chosen), source, target, align(source, target))

    @property
    def name(self) -> str:
        """The fixture's name."""
        return self.spec.name

    @cached_property
    def same_tokenizer(self) -> Fixture:
        """The same model with its own tokenizer as the target."""
        return replace(self, target=self.source, alignment=align(self.source, self.source))

    @cached_property
    def extended(self) -> Fixture:
        """The same model with its own tokenizer plus some new tokens as the target."""
        tokenizer = tiny_tokenizer(self.spec.source, "source")
        tokenizer.add_tokens(list(EXTRA_TOKENS))
        target = Vocabulary.of(tokenizer)
        return replace(self, target=target, alignment=align(self.source, target))

    @cached_property
    def without_matches(self) -> Fixture:
        """The same vocabularies with no match at all, not even a special token."""
        size = self.target.size
        empty = Alignment(np.full(size, -1, np.int64), np.zeros(size, np.int8), (NEW, *self.alignment.rules[1:]))
        return replace(self, alignment=empty)

    @cached_property
    def model_tables(self) -> Tables:
        """The model's own tables, in its own dtype."""
        return tables_of(self.model)

    @cached_property
    def tables(self) -> Mapping[Role, torch.Tensor]:
        """The source tables in float32."""
        return {role: table.detach().float() for role, table in self.model_tables.by_role.items()}

    @cached_property
    def poor(self) -> PreTrainedModel:
        """A model of the same kind with the target tokenizer and other weights."""
        return build(replace(self.spec, seed=self.spec.seed + 1), self.target.tokenizer)

    @cached_property
    def loaders(self) -> Mapping[Need, Loader]:
        """A loader for each need whose specification has a sample."""
        made = {need: spec for need, spec in need_specs().items() if type(spec).sample is not NeedSpec.sample}
        return {need: cache(lambda spec=spec: spec.sample(self)) for need, spec in made.items()}

    @cached_property
    def poor_model(self) -> PoorModel:
        """The tables of :attr:`poor`, and the counts of its tokens in the sample text."""
        counts = np.zeros(self.target.size, np.int64)
        for ids in self.target.encode(TARGET_TEXT.splitlines()):
            np.add.at(counts, ids, REPEATS)
        tables = {role: table.detach().float() for role, table in tables_of(self.poor).by_role.items()}
        return PoorModel(tables, self.target, counts)

    @cached_property
    def folders(self) -> Folders:
        """The models on disk, for the laws that graft from folder to folder; removed with the fixture."""
        return Folders(self.model, self.source, self.poor, self.target)


@dataclass(frozen=True)
class SampleProbe:
    """Synthetic trials without a graft, decided by the chain's names; longer chains tend to need fewer bits."""

    adaptation_steps: int = 200
    batch_tokens: int = 2048

    def __call__(
        self,
        chain: Sequence[PluginSpec],
        *,
        steps: int,
        seed: int,
        batch_tokens: int | None = None,
        watch: Watch = lambda step, bits: True,
        looks: Collection[int] = (),
    ) -> ProbeRun:
        """Bits per line, the same at each step; see :class:`lexigraft.core.grafting.resources.Probe`."""
        sizes = np.array([len(line.encode()) for line in TARGET_TEXT.splitlines()], np.int64)
        names = ",".join(name for name, _ in chain)
        noise = np.array([zlib.crc32(f"{names} {n}".encode()) % 97 for n in range(len(sizes))]) / 97
        bits = sizes * (3.0 - 0.4 * len(chain)) + noise
        ended = next((step for step in sorted(looks) if not watch(step, bits)), steps)
        return ProbeRun(bits, sizes, ended * len(sizes))


def seeded_vectors(vocabulary: Vocabulary, seed: int = 11) -> StaticVectors:
    """Seeded vectors for the text tokens of a vocabulary; every seventh token has none."""
    import torch

    present = vocabulary.surfaces.is_text & (np.arange(vocabulary.size) % 7 != 3)
    vectors = torch.randn(vocabulary.size, DIM, generator=torch.Generator().manual_seed(seed))
    vectors[torch.from_numpy(~present)] = 0
    return StaticVectors(vectors, present, {"made": True})


def seeded_word_vectors() -> WordVectors:
    """Random vectors of the words of both sample texts, declared to lie in one shared space."""
    return WordVectors(_space(SOURCE_TEXT, 21, DIM), _space(TARGET_TEXT, 22, DIM), True, {"made": True})


def _space(text: str, seed: int, dim: int) -> WordSpace:
    import torch

    counted = Counter(_words(text)).most_common()
    vectors = torch.randn(len(counted), dim, generator=torch.Generator().manual_seed(seed))
    return WordSpace(tuple(w for w, _ in counted), vectors, np.array([n for _, n in counted], np.int64))


def _words(text: str) -> list[str]:
    return [word for word in (w.strip(".,;:!?()\"'") for w in text.split()) if word]


def sample_parallel_text() -> ParallelText:
    """The sample texts as sentence pairs, with an aligner that links units by their relative position."""
    pairs = list(zip(SOURCE_TEXT.splitlines(), TARGET_TEXT.splitlines(), strict=False))

    def align_units(source: Words, target: Words) -> list[list[tuple[int, int]]]:
        return [
            [(n * len(s) // len(t), n) for n in range(len(t))] if s else [] for s, t in zip(source, target, strict=True)
        ]

    return ParallelText(tuple(s for s, _ in pairs), tuple(t for _, t in pairs), align_units, {"made": True})


def word_pairs(target: Vocabulary) -> list[tuple[str, str]]:
    """Source words of the sample text, each beside a word that is one token of the target vocabulary."""
    words = _words(TARGET_TEXT)
    texts = [t.decode(errors="ignore") for t, s in zip(target.surfaces.texts, target.starts, strict=True) if s]
    single = [w for w in dict.fromkeys([*words, *texts]) if w and w.isalpha() and target.single_token(w) is not None]
    english = list(dict.fromkeys(w.strip('.,;:!?()"').lower() for w in SOURCE_TEXT.split()))
    return list(zip(english[:PAIRS], single, strict=False))

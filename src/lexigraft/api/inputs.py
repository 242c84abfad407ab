"""Inputs of strategies (text, vectors, models, dictionaries), and which needs they meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from lexigraft.api.probe import ProbeSettings
from lexigraft.core.config.base import Settings, validate
from lexigraft.core.config.recipe import DictionarySettings, ParallelSettings, VectorSettings, WordVectorSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.grafting.needs import Need, need_specs
from lexigraft.core.grafting.resources import Loader
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.not_none import not_none

Text = Callable[[], Corpus]


@dataclass(frozen=True)
class StrategyInputs:
    """Inputs of strategies, each optional and loaded on first use.

    Attributes:
        source: The source model, for its tokenizer.
        corpus: Target text.
        source_corpus: Source-language text.
        vectors: How vectors of the target tokens are trained, or the file they are in.
        word_vectors: How word vectors of both languages are trained, or the files they are in.
        dictionary: Settings of the bilingual word list.
        parallel: Settings of the parallel text.
        poor_model: The poor model.
        donor: The donor model.
        gold_links: The links file of a cloned language.
        unseen: Lines that models are measured on; they are left out of parallel text.
        probing: Settings of the probe that tries candidates.
        sections: Settings of needs that other packages bring, by need; see :func:`read_sections`.
    """

    source: str | None = None
    corpus: Text | None = None
    source_corpus: Text | None = None
    vectors: VectorSettings = field(default_factory=VectorSettings)
    word_vectors: WordVectorSettings = field(default_factory=WordVectorSettings)
    dictionary: DictionarySettings | None = None
    parallel: ParallelSettings | None = None
    poor_model: str | None = None
    donor: str | None = None
    gold_links: str | None = None
    unseen: Callable[[], frozenset[str]] = frozenset
    probing: ProbeSettings | None = None
    sections: Mapping[str, Settings] = field(default_factory=dict)

    def target_text(self) -> Corpus:
        """The target text; call it only where it was supplied."""
        return not_none(self.corpus)()

    def source_text(self) -> Corpus:
        """The source-language text; call it only where it was supplied."""
        return not_none(self.source_corpus)()

    def available_needs(self) -> frozenset[Need]:
        """The needs that these inputs meet."""
        return frozenset(need for need, spec in need_specs().items() if spec.available(self))

    def loaders(self, target: Vocabulary, cache_folder: Path) -> dict[Need, Loader]:
        """A loader, run once and on first use, for each need that these inputs meet.

        Args:
            target: The target vocabulary.
            cache_folder: Folder for trained vectors, cached by content.
        """
        return {
            need: cache(lambda spec=spec: spec.load(self, target, cache_folder))
            for need, spec in need_specs().items()
            if spec.available(self)
        }

    def contents(self, needs: frozenset[Need]) -> dict[Need, Any]:
        """The content of the inputs behind some needs: plain values, never paths; target text has a hash of its own."""
        specs = need_specs()
        contents = {need: specs[need].content(self) for need in sorted(needs & self.available_needs())}
        return {need: content for need, content in contents.items() if content is not None}


def read_sections(sections: Mapping[str, Mapping[str, Any]]) -> dict[str, Settings]:
    """Check each section of the recipe's ``inputs`` against the schema of its need.

    Args:
        sections: Values by need and key.

    Raises:
        UnknownName: No need of this name takes settings.
        LexigraftError: A value that the need cannot take.
    """
    known = {str(need): spec.settings for need, spec in need_specs().items() if spec.settings is not None}
    checked = {}
    for name, values in sections.items():
        if name not in known:
            raise UnknownName("need with a section of its own", name, known)
        if not isinstance(values, Mapping):
            raise LexigraftError(f"inputs.{name} is not a mapping", values, f"Write {name}: {{key: value}}")
        checked[name] = validate(known[name], dict(values), f"inputs.{name}")
    return checked

"""Grafts from Python, into a folder or in memory."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypedDict, Unpack

from lexigraft.api.inputs import StrategyInputs, read_sections
from lexigraft.api.probe import ProbeSettings
from lexigraft.core.config.recipe import (
    DictionarySettings,
    GraftSettings,
    ParallelSettings,
    VectorSettings,
    WordVectorSettings,
)
from lexigraft.core.data.corpus import load_corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.needs import Need, refuse_missing
from lexigraft.core.grafting.pipeline import Grafted, PreparedGraft, in_memory, make_chain, prepare_graft
from lexigraft.core.grafting.strategy import uses_of
from lexigraft.core.grafting.writer import write_graft
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.registry import PluginSpec
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.utils.cache import cache_folder
from lexigraft.core.utils.files import refuse_existing

logger = logging.getLogger("lexigraft")
StrategyNames = str | Sequence[str | PluginSpec]


@dataclass(frozen=True)
class GraftResult:
    """Counts, notes and times of a finished graft.

    Attributes:
        strategy: The chain's names, joined by ``+``.
        body: Whose transformer body is kept: ``source`` or ``target``.
        target_tokens: Tokens of the new vocabulary.
        matched: Copied rows by match rule.
        new: Tokens without a match.
        covered: New tokens whose rows a strategy made.
        re_estimated: Matched tokens whose rows a strategy made.
        fallback: Rows that no strategy covers.
        learned_tokens: Tokens of text that strategies learned on.
        notes: Sentences for the user, such as warnings and choices that a strategy made.
        seconds: Time of each stage.
        peak_rss_bytes: The most memory that the process had.
        out: The folder that was written.
        facts: The content of ``lexigraft.json`` in the folder.
    """

    strategy: str
    body: str
    target_tokens: int
    matched: Mapping[str, int]
    new: int
    covered: int
    re_estimated: int
    fallback: int
    learned_tokens: int
    notes: tuple[str, ...]
    seconds: Mapping[str, float]
    peak_rss_bytes: int
    out: Path
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, facts: Mapping[str, Any], out: Path) -> GraftResult:
        """The result from the facts of a written graft."""
        counts = facts["counts"]
        names = ("target_tokens", "matched", "new", "covered", "re_estimated", "fallback", "learned_tokens")
        return cls(
            strategy=facts["strategy"],
            body=facts["body"],
            **{name: counts[name] for name in names},
            notes=tuple(facts["notes"]),
            seconds=facts["seconds"],
            peak_rss_bytes=facts["peak_rss_bytes"],
            out=out,
            facts=facts,
        )

    def as_json(self) -> dict[str, Any]:
        """Plain values, without the facts."""
        values = asdict(self)
        del values["facts"]
        return values | {"notes": list(self.notes), "out": str(self.out)}


def parse_strategy(strategy: StrategyNames, fields: Mapping[str, Any] | None = None) -> list[PluginSpec]:
    """A chain from ``"focus"``, ``"focus,subword_mean"`` or a list; fields are ``field`` or ``strategy.field``."""
    names = [part.strip() for part in strategy.split(",")] if isinstance(strategy, str) else list(strategy)
    chain: list[tuple[str, dict[str, Any]]] = [(n, {}) if isinstance(n, str) else (n[0], dict(n[1])) for n in names]
    for key, value in (fields or {}).items():
        owner, _, field = key.rpartition(".")
        for name, own in chain:
            if owner in ("", name):
                own[field] = value
    return list(chain)


class GraftInputs(TypedDict, total=False):
    """What the functions of this module take besides source, target tokenizer and strategy.

    Attributes:
        fields: Strategy fields, as ``field`` or ``strategy.field``.
        corpus: Files of target text.
        target_vectors: How vectors are trained, or a ``.bin``, ``.vec`` or ``.npz`` file.
        source_corpus: Files of source-language text, for word vectors of both languages.
        word_vectors: How word vectors of both languages are trained, or the files they are in.
        dictionary: A TSV of word pairs, or settings.
        parallel: Sentences of both languages, line by line.
        poor_model: TEMA's poor model.
        donor: A model that already uses the target tokenizer; refused where no strategy of the chain uses one.
        gold_links: The links file of a cloned language.
        inputs: Settings of needs that other packages bring, by need.
        allow_missing: Patterns of tensors that the source's checkpoint may lack (``lm_head.*``): they are random.
        seed: Decides everything random; 0 by default.
        settings: Match rules, norms, fallback, memory, device, path of the text model, and whether a written folder is
            verified.
    """

    fields: Mapping[str, Any] | None
    corpus: Sequence[str | Path] | None
    target_vectors: VectorSettings | str | None
    source_corpus: Sequence[str | Path] | None
    word_vectors: WordVectorSettings | None
    dictionary: DictionarySettings | str | None
    parallel: ParallelSettings | None
    poor_model: str | None
    donor: str | None
    gold_links: str | None
    inputs: Mapping[str, Mapping[str, Any]] | None
    allow_missing: Sequence[str]
    seed: int
    settings: GraftSettings | None


def graft(
    source: str,
    target_tokenizer: str,
    strategy: StrategyNames = "auto",
    *,
    out: str | Path,
    force: bool = False,
    **inputs: Unpack[GraftInputs],
) -> GraftResult:
    """Give a model a new vocabulary and write it to a folder that plain transformers loads.

    Args:
        source: Folder or Hub name of the source model.
        target_tokenizer: Folder, file or Hub name of the target tokenizer.
        strategy: A name, names joined by commas, or a list of names or ``(name, fields)``: tried in order.
        out: The folder to write.
        force: Whether an existing folder is replaced.
        **inputs: See :class:`GraftInputs`: ``corpus=["text.txt"]``, ``seed=1``, …

    Returns:
        Counts, notes, times, and where the folder is.

    Raises:
        LexigraftError: Anything wrong with the inputs.
    """
    refuse_existing(Path(out), force)
    prepared = _prepare(source, target_tokenizer, strategy, **inputs)
    verified = (inputs.get("settings") or GraftSettings()).verify
    return GraftResult.of(write_graft(prepared, Path(out), force=force, verified=verified), Path(out))


def graft_model(
    source: str, target_tokenizer: str, strategy: StrategyNames = "focus", **inputs: Unpack[GraftInputs]
) -> Grafted:
    """Give a model a new vocabulary, in memory, for notebooks or for training that follows directly.

    Args:
        source: Folder or Hub name of the source model.
        target_tokenizer: Folder, file or Hub name of the target tokenizer.
        strategy: A name, names joined by commas, or a list of names or ``(name, fields)``: tried in order.
        **inputs: See :class:`GraftInputs`: ``corpus=["text.txt"]``, ``seed=1``, …

    Returns:
        ``model`` with its new tables; its ``vocabulary`` (``vocabulary.tokenizer`` is the tokenizer); ``rows`` with
        their provenance; ``facts``.

    Raises:
        LexigraftError: Anything wrong with the inputs.
    """
    return in_memory(_prepare(source, target_tokenizer, strategy, **inputs))


def _prepare(
    source: str,
    target_tokenizer: str,
    strategy: StrategyNames,
    *,
    fields: Mapping[str, Any] | None = None,
    corpus: Sequence[str | Path] | None = None,
    target_vectors: VectorSettings | str | None = None,
    source_corpus: Sequence[str | Path] | None = None,
    word_vectors: WordVectorSettings | None = None,
    dictionary: DictionarySettings | str | None = None,
    parallel: ParallelSettings | None = None,
    poor_model: str | None = None,
    donor: str | None = None,
    gold_links: str | None = None,
    inputs: Mapping[str, Mapping[str, Any]] | None = None,
    allow_missing: Sequence[str] = (),
    seed: int = 0,
    settings: GraftSettings | None = None,
) -> PreparedGraft:
    """Load the inputs and build the rows of a graft."""
    settings = settings or GraftSettings()
    chain = make_chain(parse_strategy(strategy, fields))
    if donor is not None and Need.DONOR not in uses_of(chain):
        raise LexigraftError("no strategy of the chain leans on a donor", donor, "Leave --donor out")
    vectors = VectorSettings() if target_vectors is None else target_vectors
    strategy_inputs = StrategyInputs(
        source=source,
        corpus=cache(lambda: load_corpus(list(corpus))) if corpus else None,
        source_corpus=cache(lambda: load_corpus(list(source_corpus))) if source_corpus else None,
        vectors=VectorSettings(file=vectors) if isinstance(vectors, str) else vectors,
        word_vectors=word_vectors or WordVectorSettings(),
        dictionary=DictionarySettings(path=[dictionary]) if isinstance(dictionary, str) else dictionary,
        parallel=parallel,
        poor_model=poor_model,
        donor=donor,
        gold_links=gold_links,
        probing=ProbeSettings(source, settings),
        sections=read_sections(inputs or {}),
    )
    refuse_missing({s.name: s.required_needs() for s in chain}, strategy_inputs.available_needs())
    if working := [s.name for s in chain if uses_of([s]) & {Need.MODEL, Need.PROBE}]:
        logger.warning("%s works on the model itself: all of it is loaded into memory", "+".join(working))
    target = load_vocabulary(target_tokenizer)
    loaders = strategy_inputs.loaders(target, cache_folder())
    model = DiskModel(source, allow_missing=allow_missing, text_model=settings.text_model)
    return prepare_graft(model, target, chain, loaders, poor=poor_model, seed=seed, settings=settings)

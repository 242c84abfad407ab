"""Grafting a model from Python: the same words as the command line."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from lexigraft.api.inputs import Given
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
from lexigraft.core.grafting.pipeline import Links, make_chain, prepare_graft, uses_of
from lexigraft.core.grafting.writer import write_graft
from lexigraft.core.tokenization.loading import load_vocabulary
from lexigraft.core.utils.cache import cache_folder
from lexigraft.core.utils.files import refuse_existing

logger = logging.getLogger("lexigraft")
Spec = str | Sequence[str | tuple[str, Mapping[str, Any]]]


def links_of(strategy: Spec, fields: Mapping[str, Any] | None = None) -> Links:
    """A chain from ``"focus"``, ``"focus,subword_mean"`` or a list; fields are ``field`` or ``strategy.field``."""
    names = [part.strip() for part in strategy.split(",")] if isinstance(strategy, str) else list(strategy)
    links: list[tuple[str, dict[str, Any]]] = [(n, {}) if isinstance(n, str) else (n[0], dict(n[1])) for n in names]
    for key, value in (fields or {}).items():
        owner, _, field = key.rpartition(".")
        for name, own in links:
            if owner in ("", name):
                own[field] = value
    return links


def graft(
    source: str,
    target_tokenizer: str,
    strategy: Spec = "focus",
    *,
    out: str | Path,
    fields: Mapping[str, Any] | None = None,
    corpus: Sequence[str | Path] | None = None,
    target_vectors: VectorSettings | str | None = None,
    source_corpus: Sequence[str | Path] | None = None,
    word_vectors: WordVectorSettings | None = None,
    dictionary: DictionarySettings | str | None = None,
    parallel: ParallelSettings | None = None,
    poor_model: str | None = None,
    donor: str | None = None,
    answer: str | None = None,
    seed: int = 0,
    settings: GraftSettings | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Give a model a new vocabulary and write it to a folder that plain transformers loads.

    Args:
        source: Folder or Hub name of the source model.
        target_tokenizer: Folder, file or Hub name of the target tokenizer.
        strategy: A name, names joined by commas, or a list of names or ``(name, fields)``: tried in order.
        out: The folder to write.
        fields: Strategy fields.
        corpus: Files of target text.
        target_vectors: How vectors are trained, or a ``.bin``, ``.vec`` or ``.npz`` file.
        source_corpus: Files of source-language text, for word vectors of both languages.
        word_vectors: How word vectors of both languages are trained, or the files they are in.
        dictionary: A TSV of word pairs, or settings.
        parallel: Sentences of both languages, line by line.
        poor_model: TEMA's poor model.
        donor: A model that already uses the target tokenizer; refused where no strategy of the chain leans on one.
        answer: The links file of a cloned language.
        seed: Decides everything random.
        settings: Match rules, norms, fallback, memory.
        force: Whether an existing folder is replaced.

    Returns:
        What ``lexigraft.json`` in the folder says, with ``out``.

    Raises:
        LexigraftError: Anything wrong with the inputs.
    """
    refuse_existing(Path(out), force)
    settings = settings or GraftSettings()
    chain = make_chain(links_of(strategy, fields))
    if donor is not None and Need.DONOR not in uses_of(chain):
        raise LexigraftError("no strategy of the chain leans on a donor", donor, "Leave --donor out")
    vectors = VectorSettings() if target_vectors is None else target_vectors
    given = Given(
        source=source,
        corpus=cache(lambda: load_corpus(list(corpus))) if corpus else None,
        source_text=cache(lambda: load_corpus(list(source_corpus))) if source_corpus else None,
        vectors=VectorSettings(file=vectors) if isinstance(vectors, str) else vectors,
        word_vectors=word_vectors or WordVectorSettings(),
        dictionary=DictionarySettings(path=[dictionary]) if isinstance(dictionary, str) else dictionary,
        parallel=parallel,
        poor=poor_model,
        donor=donor,
        answer=answer,
        probing=ProbeSettings(source, settings),
    )
    refuse_missing({s.name: s.effective_needs() for s in chain}, given.met())
    if working := [s.name for s in chain if s.may_use() & {Need.MODEL, Need.PROBE}]:
        logger.warning("%s works on the model itself: all of it is loaded into memory", "+".join(working))
    target = load_vocabulary(target_tokenizer)
    loaders = given.loaders(target, cache_folder())
    made = prepare_graft(source, target, chain, loaders, poor=poor_model, seed=seed, settings=settings)
    return write_graft(made, Path(out), force=force, verified=settings.verify)

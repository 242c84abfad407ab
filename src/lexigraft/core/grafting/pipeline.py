"""The graft pipeline, one stage after the other."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lexigraft.core.config.recipe import GraftSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.needs import Need, refuse_missing
from lexigraft.core.grafting.resources import Donor, Loader, PoorModel, Resources
from lexigraft.core.grafting.rows import Rows, build_rows
from lexigraft.core.grafting.strategy import Body, InitContext, Strategy, uses_of
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.models.extra_files import refuse_damaged_modules
from lexigraft.core.models.surgery import install, reshape
from lexigraft.core.models.tables import FloatTables, Role, check_tables
from lexigraft.core.registry import PluginSpec, make
from lexigraft.core.tokenization.matching.alignment import Alignment, align
from lexigraft.core.tokenization.number_splitting import digit_warning
from lexigraft.core.tokenization.target_check import check_usable
from lexigraft.core.tokenization.unknown_token_check import check_encodes
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.devices import usable_device
from lexigraft.core.utils.memory import default_memory_budget, peak_rss_bytes
from lexigraft.core.utils.versions import versions

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class PreparedGraft:
    """A graft before surgery, with the finished rows and the model on disk that they go into.

    Attributes:
        body: The model whose body is kept.
        vocabulary: The vocabulary that it gets.
        rows: The tables with provenance and counts.
        alignment: Which source token each target token matched, by which rule.
        facts: The content of ``lexigraft.json``.
        skeleton: The body without weights, already reshaped for the new vocabulary.
    """

    body: DiskModel
    vocabulary: Vocabulary
    rows: Rows
    alignment: Alignment
    facts: Mapping[str, Any]
    skeleton: PreTrainedModel


@dataclass(frozen=True)
class Grafted:
    """A grafted model in memory.

    Attributes:
        model: The model, new tables installed.
        vocabulary: Its new vocabulary.
        rows: The tables with provenance and counts.
        alignment: Which source token each target token matched, by which rule.
        facts: The content of ``lexigraft.json``.
    """

    model: PreTrainedModel
    vocabulary: Vocabulary
    rows: Rows
    alignment: Alignment
    facts: Mapping[str, Any]


def make_chain(specs: Sequence[PluginSpec]) -> list[Strategy]:
    """Build configured strategies from names and fields.

    Raises:
        LexigraftError: An unknown strategy or field, an impossible value, or an empty chain.
    """
    if not specs:
        raise LexigraftError("no strategy given", hint="Name one; see `lexigraft strategies list`")
    return [make("strategy", name, dict(fields)) for name, fields in specs]


def prepare_graft(
    source: str | DiskModel,
    target: Vocabulary,
    chain: Sequence[Strategy],
    loaders: Mapping[Need, Loader],
    *,
    poor: str | None = None,
    seed: int = 0,
    settings: GraftSettings | None = None,
) -> PreparedGraft:
    """Make the rows of a graft: everything but the surgery. Of the models only the tables are read.

    A strategy that works on the model itself (``Need.MODEL``) has it loaded, when it asks for it.

    Args:
        source: Folder or Hub name of the source model, or the model opened already.
        target: The vocabulary that the model gets.
        chain: Configured strategies, tried in order.
        loaders: A loader for each need that can be met.
        poor: The poor model, whose body is kept by strategies of ``Body.TARGET``.
        seed: Decides everything random.
        settings: Match rules, norms, fallback, memory, device.

    Raises:
        LexigraftError: Anything that is wrong with the inputs; most of it before weights load.
    """
    import torch

    settings = settings or GraftSettings()
    seconds: dict[str, float] = {}
    with _timed(seconds, "load"):
        device = usable_device(settings.device)
        refuse_missing({s.name: s.required_needs() for s in chain}, loaders)
        source_model = source if isinstance(source, DiskModel) else DiskModel(source, text_model=settings.text_model)
        source_vocabulary = source_model.vocabulary
        target = _new_vocabulary(source_vocabulary, target, chain)
        source_tables = _checked_tables(source_model)
        source_rows = len(source_tables.as_stored(Role.INPUT))
        body = _poor_body(poor, target) if chain[0].body is Body.TARGET else source_model
    with _timed(seconds, "surgery"):
        refuse_damaged_modules(body.folder)
        skeleton = copy.deepcopy(body.skeleton)
        lost_ids = reshape(skeleton, body.vocabulary, target)
        body.refuse_damaged()
    with _timed(seconds, "align"):
        alignment = align(source_vocabulary, target, settings.rules)
    resources = Resources(uses_of(chain), {**loaders, Need.MODEL: lambda: source_model.model})
    with _timed(seconds, "vectors"):
        if Need.TARGET_VECTORS in resources.declared and Need.TARGET_VECTORS in loaders:
            resources.target_vectors()
    ctx = InitContext(
        source=source_vocabulary,
        target=target,
        alignment=alignment,
        target_ids=alignment.new,
        roles=body.roles,
        tables=source_tables,
        resources=resources,
        generator=torch.Generator().manual_seed(seed),
        device=device,
        memory_budget=settings.memory_budget or default_memory_budget(),
    )
    if target is not source_vocabulary and (warning := digit_warning(source_vocabulary, target)) is not None:
        ctx.journal.note(warning)
    for note in lost_ids:
        ctx.journal.note(note)
    with _timed(seconds, "rows"):
        rows = build_rows(chain, ctx, fallback=settings.fallback, calibration=settings.norm_calibration)
    seconds["plan"] = round(rows.plan_seconds, 4)
    seconds["rows"] = round(seconds["rows"] - seconds["plan"], 4)
    facts = {
        **_facts(chain, seed, rows, source_model, source_rows, target, poor),
        "settings": settings.model_dump(mode="json"),
        "device": device,
        "versions": versions(),
        "seconds": seconds,
        "peak_rss_bytes": peak_rss_bytes(),
    }
    return PreparedGraft(body, target, rows, alignment, facts, skeleton)


def _new_vocabulary(source: Vocabulary, target: Vocabulary, chain: Sequence[Strategy]) -> Vocabulary:
    """The vocabulary that the model gets: the source's own where a strategy keeps it, else the target's, checked."""
    if any(s.keeps_tokenizer for s in chain):
        return source
    check_usable(target)
    check_encodes(source)
    refuse_same(source, target)
    return target


def _facts(
    chain: Sequence[Strategy],
    seed: int,
    rows: Rows,
    source: DiskModel,
    source_rows: int,
    target: Vocabulary,
    poor: str | None,
) -> dict[str, Any]:
    """What a graft was made of and with which counts, as ``lexigraft.json`` has it."""
    return {
        "strategy": "+".join(s.name for s in chain),
        "fields": [dict(s.parameters(), name=s.name) for s in chain],
        "body": chain[0].body.value,
        "seed": seed,
        "counts": rows.counts,
        "fallback_share": rows.counts["fallback"] / rows.counts["target_tokens"],
        "source": {
            "model": source.path,
            "tokenizer_hash": source.vocabulary.hash,
            "tokens": source.vocabulary.size,
            "rows": source_rows,
        },
        "target": {"tokenizer_hash": target.hash, "tokens": target.size},
        "poor_model": poor if chain[0].body is Body.TARGET else None,
        "notes": list(rows.notes),
    }


def graft_model(
    source: str | DiskModel,
    target: Vocabulary,
    chain: Sequence[Strategy],
    loaders: Mapping[Need, Loader],
    *,
    poor: str | None = None,
    seed: int = 0,
    settings: GraftSettings | None = None,
) -> Grafted:
    """Change a model's vocabulary: the whole graft, in memory; arguments and errors as :func:`prepare_graft`."""
    return in_memory(prepare_graft(source, target, chain, loaders, poor=poor, seed=seed, settings=settings))


def in_memory(prepared: PreparedGraft) -> Grafted:
    """Load the model of a prepared graft and install the new tables in it."""
    seconds = dict(prepared.facts["seconds"])
    with _timed(seconds, "surgery"):
        model = prepared.body.take()
        install(model, prepared.rows.tables, prepared.body.vocabulary, prepared.vocabulary)
    facts = {**prepared.facts, "seconds": seconds, "peak_rss_bytes": peak_rss_bytes()}
    return Grafted(model, prepared.vocabulary, prepared.rows, prepared.alignment, facts)


def refuse_same(source: Vocabulary, target: Vocabulary) -> None:
    """Refuse a target tokenizer that is the source's own.

    Raises:
        LexigraftError: Both tokenizers give the same ids for every text.
    """
    if source.hash == target.hash:
        raise LexigraftError(
            "target tokenizer equals the source tokenizer",
            f"{target.size} tokens",
            "There is nothing to graft; use strategy 'keep' as a control",
        )


def _poor_body(poor: str | None, target: Vocabulary) -> DiskModel:
    if poor is None:
        raise LexigraftError(
            "this strategy keeps the poor model's body, and no poor model is given", hint="Give --poor-model"
        )
    model = DiskModel(poor)
    if model.vocabulary.hash != target.hash and model.vocabulary.tokens != target.tokens:
        raise LexigraftError(
            "the poor model has another tokenizer than the target", poor, "Pre-train it with the target tokenizer"
        )
    _checked_tables(model)
    return model


def _checked_tables(model: DiskModel) -> FloatTables:
    tables = model.tables()
    check_tables(tables, model.vocabulary, model.path)
    return FloatTables(tables.by_role)


def load_poor_model(poor: str, target: Vocabulary, counts: Any) -> PoorModel:
    """The poor model's tables in float32 with the corpus counts of its tokens.

    Args:
        poor: Folder or Hub name.
        target: The target vocabulary.
        counts: Token counts, int64 ``(target,)``.
    """
    model = _poor_body(poor, target)
    return PoorModel(FloatTables(model.tables().by_role), model.vocabulary, counts)


def load_donor(donor: str) -> Donor:
    """The donor's tables in float32 with its vocabulary.

    Args:
        donor: Folder or Hub name.
    """
    model = DiskModel(donor)
    return Donor(_checked_tables(model), model.vocabulary)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - started, 4)

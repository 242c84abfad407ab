"""Laws of the finished rows: copies are bit for bit, the same tokenizer changes nothing, extremes are handled."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from lexigraft.core.grafting.rows import Rows, build_rows
from lexigraft.core.grafting.strategy import Body
from lexigraft.core.models.surgery import install
from lexigraft.core.models.tables import FloatTables, Role
from lexigraft.testing.trial import Law, Trial, demand, only_if

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_RE_ESTIMATES = "the strategy re-estimates matched rows, or keeps another body"


def logits(model: PreTrainedModel, size: int) -> torch.Tensor:
    """The model's logits on 24 fixed ids below ``size``."""
    import torch

    ids = torch.arange(24).reshape(2, 12) * 37 % size
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = ids
    with torch.no_grad():
        found: torch.Tensor = model(**inputs).logits
    return found


def _sound(trial: Trial, rows: Rows) -> None:
    size = trial.ground.target.size
    for role, table in rows.tables.items():
        demand(len(table) == size, f"{role}: {len(table)} rows for {size} tokens")
        demand(bool(table.isfinite().all()), f"{role}: values are not finite")
        if role != Role.BIAS and not trial.strategy.zero_rows:
            demand(not bool((table == 0).all(dim=1).any()), f"{role}: a row is zero")
    demand(len(rows.provenance.rules) == len(rows.provenance.mix) == size, "provenance does not name every row")


def _tables_are_sound(trial: Trial) -> None:
    _sound(trial, trial.rows)


def _copied(trial: Trial, rows: Rows) -> None:
    matched = trial.ground.alignment.matched
    twins = trial.ground.alignment.source_ids[matched]
    for role, table in rows.tables.items():
        same = table[matched] == trial.ground.tables[role][twins]
        demand(bool(same.all()), f"{role}: a matched row is not its source row, bit for bit")


def _matched_rows_are_copies(trial: Trial) -> None:
    only_if(trial.copies_matched, _RE_ESTIMATES)
    demand(len(trial.ground.alignment.matched) > 20, "the fixture matches almost nothing")
    _copied(trial, trial.rows)


def _extension_keeps_old_rows(trial: Trial) -> None:
    only_if(trial.copies_matched, _RE_ESTIMATES)
    wider = trial.on(trial.ground.extended)
    old = trial.ground.source.size
    demand(len(wider.asked) > 0, "the extension asks for nothing")
    for role, table in wider.rows.tables.items():
        same = table[:old] == trial.ground.tables[role][:old]
        demand(bool(same.all()), f"{role}: an old row changed")


def _same_tokenizer_same_logits(trial: Trial) -> None:
    import torch

    only_if(trial.copies_matched, _RE_ESTIMATES)
    still = trial.on(trial.ground.same)
    model = copy.deepcopy(trial.ground.model)
    size = trial.ground.source.size
    before = logits(model, size)[..., :size]
    install(model, still.rows.tables, trial.ground.source, trial.ground.source)
    demand(torch.equal(before, logits(model, size)), "grafting the model's own tokenizer changes its logits")


def _nothing_new_works(trial: Trial) -> None:
    still = trial.on(trial.ground.same)
    _sound(still, still.rows)
    if trial.copies_matched:
        demand(len(still.asked) == 0 and still.rows.counts["covered"] == 0, "rows are asked for although none is new")


def _empty_overlap_works(trial: Trial) -> None:
    lone = trial.on(trial.ground.strangers)
    _sound(lone, lone.rows)


def _rows_beyond_the_tokenizer(trial: Trial) -> None:
    import torch

    generator = torch.Generator().manual_seed(4)
    longer = {
        role: torch.cat([table, 0.3 * torch.randn(9, *table.shape[1:], generator=generator)])
        for role, table in trial.ground.tables.items()
    }
    rows = build_rows([trial.strategy], trial.context(tables=FloatTables(longer)))
    _sound(trial, rows)
    if trial.copies_matched:
        _copied(trial, rows)


def _bias_is_handled(trial: Trial) -> None:
    only_if(Role.BIAS in trial.context().roles, "the head has no bias")
    bias = trial.rows.tables[Role.BIAS]
    demand(bias.shape == (trial.ground.target.size,), f"the bias has shape {tuple(bias.shape)}")
    if trial.strategy.body is Body.SOURCE:
        known = trial.ground.tables[Role.BIAS][: trial.ground.source.size]
        rest = bias[np.setdiff1d(np.arange(len(bias)), trial.ground.alignment.matched)]
        inside = bool(((rest >= known.min() - 1e-4) & (rest <= known.max() + 1e-4)).all())
        demand(inside, "a new token's bias lies outside the range of the source biases")


LAWS = tuple(
    Law(name, "rows", check)
    for name, check in {
        "finished tables are sound": _tables_are_sound,
        "matched rows are copied bit for bit": _matched_rows_are_copies,
        "the same tokenizer gives the same logits": _same_tokenizer_same_logits,
        "an extension keeps all old rows": _extension_keeps_old_rows,
        "nothing new works": _nothing_new_works,
        "empty overlap works": _empty_overlap_works,
        "rows beyond the tokenizer are handled": _rows_beyond_the_tokenizer,
        "a head bias is handled": _bias_is_handled,
    }.items()
)

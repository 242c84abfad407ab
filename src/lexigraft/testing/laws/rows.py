"""Laws of the finished rows."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from lexigraft.core.grafting.rows import Rows, build_rows
from lexigraft.core.grafting.strategy import Body
from lexigraft.core.models.surgery import install
from lexigraft.core.models.tables import FloatTables, Role
from lexigraft.testing.law import Law, require, skip_unless
from lexigraft.testing.trial import Trial

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
        outputs: torch.Tensor = model(**inputs).logits
    return outputs


def _check_tables(trial: Trial, rows: Rows) -> None:
    size = trial.fixture.target.size
    for role, table in rows.tables.items():
        require(len(table) == size, f"{role}: {len(table)} rows for {size} tokens")
        require(bool(table.isfinite().all()), f"{role}: values are not finite")
        if role != Role.BIAS and not trial.strategy.zero_rows:
            require(not bool((table == 0).all(dim=1).any()), f"{role}: a row is zero")
    require(len(rows.provenance.rules) == len(rows.provenance.mix) == size, "provenance does not name every row")


def _tables_are_sound(trial: Trial) -> None:
    _check_tables(trial, trial.rows)


def _check_copies(trial: Trial, rows: Rows) -> None:
    matched = trial.fixture.alignment.matched
    source_ids = trial.fixture.alignment.source_ids[matched]
    for role, table in rows.tables.items():
        same = table[matched] == trial.fixture.tables[role][source_ids]
        require(bool(same.all()), f"{role}: a matched row is not its source row, bit for bit")


def _matched_rows_are_copies(trial: Trial) -> None:
    skip_unless(trial.copies_matched, _RE_ESTIMATES)
    require(len(trial.fixture.alignment.matched) > 20, "the fixture matches almost nothing")
    _check_copies(trial, trial.rows)


def _extension_keeps_old_rows(trial: Trial) -> None:
    skip_unless(trial.copies_matched, _RE_ESTIMATES)
    old = trial.fixture.source.size
    require(trial.extension.counts["new"] > 0, "the extension asks for nothing")
    for role, table in trial.extension.tables.items():
        same = table[:old] == trial.fixture.tables[role][:old]
        require(bool(same.all()), f"{role}: an old row changed")


def _same_tokenizer_same_logits(trial: Trial) -> None:
    import torch

    skip_unless(trial.copies_matched, _RE_ESTIMATES)
    model = copy.deepcopy(trial.fixture.model)
    size = trial.fixture.source.size
    before = logits(model, size)[..., :size]
    install(model, trial.unchanged.rows.tables, trial.fixture.source, trial.fixture.source)
    require(torch.equal(before, logits(model, size)), "grafting the model's own tokenizer changes its logits")


def _nothing_new_works(trial: Trial) -> None:
    unchanged = trial.unchanged
    _check_tables(unchanged, unchanged.rows)
    if trial.copies_matched:
        require(
            len(unchanged.asked) == 0 and unchanged.rows.counts["covered"] == 0,
            "rows are asked for although none is new",
        )


def _empty_overlap_works(trial: Trial) -> None:
    unmatched = trial.on(trial.fixture.without_matches)
    _check_tables(unmatched, unmatched.rows)


def _rows_beyond_the_tokenizer(trial: Trial) -> None:
    import torch

    generator = torch.Generator().manual_seed(4)
    longer = {
        role: torch.cat([table, 0.3 * torch.randn(9, *table.shape[1:], generator=generator)])
        for role, table in trial.fixture.tables.items()
    }
    rows = build_rows([trial.strategy], trial.context(tables=FloatTables(longer)))
    _check_tables(trial, rows)
    if trial.copies_matched:
        _check_copies(trial, rows)


def _bias_is_handled(trial: Trial) -> None:
    skip_unless(Role.BIAS in trial.context().roles, "the head has no bias")
    bias = trial.rows.tables[Role.BIAS]
    require(bias.shape == (trial.fixture.target.size,), f"the bias has shape {tuple(bias.shape)}")
    if trial.strategy.body is Body.SOURCE:
        source = trial.fixture.tables[Role.BIAS][: trial.fixture.source.size]
        rest = bias[np.setdiff1d(np.arange(len(bias)), trial.fixture.alignment.matched)]
        inside = bool(((rest >= source.min() - 1e-4) & (rest <= source.max() + 1e-4)).all())
        require(inside, "a new token's bias lies outside the range of the source biases")


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

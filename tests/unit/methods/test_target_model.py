"""A model grafted in memory while its rows change: the right loss and slopes, and the source left as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lexigraft.core.grafting.chains import named_chain
from lexigraft.core.grafting.rows import Rows, build_rows
from lexigraft.core.methods.target_model import TargetLanguageModel, frozen_copy
from lexigraft.core.models.architecture import model_kind
from lexigraft.core.models.frozen_model import FrozenModel
from lexigraft.core.models.tables import Role
from lexigraft.core.registry import discover, make
from lexigraft.testing.contract import FIXTURE_NAMES, cached_fixture
from lexigraft.testing.inputs import Fixture
from lexigraft.testing.sample_text import TARGET_TEXT
from lexigraft.testing.trial import Trial

LINES = TARGET_TEXT.splitlines()
PLAIN = [name for name in FIXTURE_NAMES if model_kind(cached_fixture(name).model.config) != "seq2seq"]


def started(on: Fixture) -> Rows:
    ctx = Trial(discover("strategy")["subword_mean"], make("strategy", "subword_mean"), on).context()
    return build_rows(named_chain("subword_mean"), ctx)


def grafted(on: Fixture) -> tuple[TargetLanguageModel, Rows]:
    rows = started(on)
    return TargetLanguageModel.of(on.model, rows, on.source, on.target, "cpu"), rows


@pytest.mark.parametrize("name", PLAIN)
def test_the_loss_is_that_of_the_source_model_with_new_rows_appended(name: str) -> None:
    on = cached_fixture(name)
    model, rows = grafted(on)
    sequences = list(model.packed(LINES, 16)[:4])
    loss, _ = model.gradients(sequences, torch.Generator().manual_seed(3))
    ids = torch.from_numpy(np.stack(sequences).astype(np.int64))
    batch = model.objective.batch(ids, on.target, torch.Generator().manual_seed(3))
    # The other way: the source's own model, its ids for what matches, and every target row appended behind its table.
    frozen = FrozenModel.of(on.model, on.source.size)
    combined = torch.from_numpy(
        np.where(on.alignment.source_ids >= 0, on.alignment.source_ids, on.source.size + np.arange(on.target.size))
    )
    logits = frozen.logits(combined[batch["input_ids"]], torch.ones_like(ids), rows.tables)[..., on.source.size :]
    labels = batch["labels"]
    if model_kind(on.model.config) == "causal":
        logits, labels = logits[:, :-1], labels[:, 1:]
    wanted = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
    torch.testing.assert_close(loss, wanted, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("name", FIXTURE_NAMES)
def test_slopes_are_those_of_finite_differences(name: str) -> None:
    on = cached_fixture(name)
    model, _ = grafted(on)
    sequences = list(model.packed(LINES, 16)[:4])

    def loss() -> float:
        return float(model.gradients(sequences, torch.Generator().manual_seed(3))[0])

    _, gradients = model.gradients(sequences, torch.Generator().manual_seed(3))
    for role, slope in gradients.items():
        steepest = int(slope.flatten().abs().argmax())
        entry = model.tables[role].view(-1)
        ends = []
        for step in (1e-2, -1e-2):
            with torch.no_grad():
                entry[steepest] += step
            ends.append(loss())
            with torch.no_grad():
                entry[steepest] -= step
        assert float(slope.flatten()[steepest]) == pytest.approx((ends[0] - ends[1]) / 2e-2, rel=0.02, abs=2e-4), role


@pytest.mark.parametrize("name", FIXTURE_NAMES)
def test_the_source_model_stays_and_its_body_is_shared_not_copied(name: str) -> None:
    on = cached_fixture(name)
    before = {n: p.detach().clone() for n, p in on.model.named_parameters()}
    model, rows = grafted(on)
    model.put(torch.tensor([0]), {role: torch.full_like(t[:1], 7.0) for role, t in rows.tables.items()})
    for n, p in on.model.named_parameters():
        assert torch.equal(p, before[n]), n
        assert p.requires_grad
    twin = frozen_copy(on.model)
    tables = {t.data_ptr() for t in on.model_tables.by_role.values()}
    shared = [n for n, p in on.model.named_parameters() if p.dtype == torch.float32 and p.data_ptr() not in tables]
    weights = dict(twin.named_parameters())
    for n in shared:
        assert weights[n].data_ptr() == dict(on.model.named_parameters())[n].data_ptr(), n
        assert not weights[n].requires_grad
    assert Role.INPUT in model.tables

"""The last law: a grafted model adapted for two steps, saved and read back with plain PEFT, gives equal logits."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from fixtures.adapting import adapted
from lexigraft.adapters.training.export import save_adapter
from lexigraft.adapters.training.peft_calls import expected_peft_warnings
from lexigraft.core.models.loading import load_model
from lexigraft.core.models.tables import tables_of
from lexigraft.core.registry import discover
from lexigraft.testing.contract import FIXTURE_NAMES, cached_fixture
from lexigraft.testing.laws.rows import logits
from lexigraft.testing.trial import Trial

pytestmark = pytest.mark.usefixtures("one_thread")
STRATEGIES = discover("strategy")


def one_of_each_kind() -> list[str]:
    """A strategy decides the rows and no more, so those that leave core the same model to adapt need one test."""
    found: dict[object, str] = {}
    for name, plugin in sorted(STRATEGIES.items(), key=lambda item: len(item[1].cls.needs if item[1].cls else ())):
        assert plugin.cls is not None, plugin.broken
        cls = plugin.cls
        found.setdefault((cls.body, cls.scope, cls.keeps_tokenizer, cls.zero_rows), name)
    return list(found.values())


PAIRS = [(s, "roberta-tied-bias") for s in one_of_each_kind()] + [("subword_mean", f) for f in FIXTURE_NAMES[1:]]


@pytest.mark.parametrize(("strategy", "fixture"), PAIRS)
def test_adapting_a_graft_then_saving_and_merging_gives_equal_logits(
    strategy: str, fixture: str, tmp_path: Path
) -> None:
    plugin = STRATEGIES[strategy]
    assert plugin.cls is not None
    trial = Trial(plugin, plugin.cls(), cached_fixture(fixture))
    vocabulary = trial.grafted.vocabulary
    start = copy.deepcopy(trial.grafted.model)
    tied = tables_of(start).tied
    result = adapted(copy.deepcopy(start), vocabulary, {"steps": 2})
    wanted = logits(result.model, vocabulary.size)
    assert not torch.equal(wanted, logits(start, vocabulary.size))
    result.model.save_pretrained(tmp_path / "merged")
    vocabulary.tokenizer.save_pretrained(tmp_path / "merged")
    save_adapter(result, tmp_path / "adapter")
    merged = load_model(tmp_path / "merged")
    assert tables_of(merged).tied == tied
    assert torch.equal(logits(merged, vocabulary.size), wanted)
    # A bfloat16 model's merged weights are rounded, so the change is compared in float32.
    exact = logits(merged.float(), vocabulary.size)
    change = (exact - logits(start.float(), vocabulary.size)).abs().max().item()
    tolerance = 1e-4 if result.model.dtype == torch.float32 else 0.1 * change
    with expected_peft_warnings():
        again = PeftModel.from_pretrained(start, str(tmp_path / "adapter"))
        torch.testing.assert_close(logits(again, vocabulary.size), exact, atol=tolerance, rtol=tolerance)
        assert tables_of(again).tied == tied
        unloaded = again.merge_and_unload()
    torch.testing.assert_close(logits(unloaded, vocabulary.size), exact, atol=tolerance, rtol=tolerance)
    assert tables_of(unloaded).tied == tied

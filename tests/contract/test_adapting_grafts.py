"""The last law: a grafted model adapted for two steps, saved and read back, ours or plain PEFT, gives equal logits."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoTokenizer

from fixtures.adapting import adapted
from fixtures.contract import one_of_each_kind
from lexigraft.adapters.training.export import save_adapter
from lexigraft.adapters.training.peft_calls import expected_peft_warnings
from lexigraft.adapters.training.saved_adapter import load_adapter
from lexigraft.core.models.loading import load_model
from lexigraft.core.models.tables import tables_of
from lexigraft.core.registry import discover
from lexigraft.testing.contract import FIXTURE_NAMES, cached_fixture
from lexigraft.testing.laws.rows import logits
from lexigraft.testing.trial import Trial

pytestmark = pytest.mark.usefixtures("one_thread")
STRATEGIES = discover("strategy")
# A strategy decides the rows and no more, so those that leave core the same model to adapt need one test.
PAIRS = [(s, "roberta-tied-bias") for s in one_of_each_kind(STRATEGIES)] + [
    ("subword_mean", f) for f in FIXTURE_NAMES[1:]
]


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
    assert (type(result.model), result.model.dtype) == (type(start), start.dtype)
    assert not torch.equal(wanted, logits(start, vocabulary.size))
    result.model.save_pretrained(tmp_path / "merged")
    vocabulary.tokenizer.save_pretrained(tmp_path / "merged")
    save_adapter(result, tmp_path / "adapter")
    merged = load_model(tmp_path / "merged")
    assert tables_of(merged).tied == tied
    assert torch.equal(logits(merged, vocabulary.size), wanted)
    assert AutoTokenizer.from_pretrained(tmp_path / "merged").get_vocab() == vocabulary.tokenizer.get_vocab()
    ours = load_adapter(copy.deepcopy(start), tmp_path / "adapter")
    # Weights in bfloat16 are rounded twice on this way.
    near = 1e-5 if start.dtype == torch.float32 else 2e-2
    torch.testing.assert_close(logits(ours, vocabulary.size), wanted, atol=near, rtol=near)
    assert tables_of(ours).tied == tied
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

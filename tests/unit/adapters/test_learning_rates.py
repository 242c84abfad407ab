"""Learning rates by part: rows of one table apart, ties kept, 1 is none, 0 is frozen, and resume changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from fixtures.adapting import SETTINGS, adapted, load, weights
from lexigraft.adapters.training.learning_rates import scale_rows
from lexigraft.adapters.training.model_parts import parts
from lexigraft.core.config.adaptation import AdaptSettings, Phase
from lexigraft.core.config.base import validate
from lexigraft.core.errors import LexigraftError

NEW = list(range(40, 90, 3))
PARTS = ("new_rows", "tables", "head", "body")
FULL = {"body": "full", "schedule": "constant", "warmup_share": 0.0}


def _trained(name: str, options: dict[str, Any], **arguments: Any) -> tuple[dict[str, torch.Tensor], PreTrainedModel]:
    model, vocabulary = load(name)
    result = adapted(model, vocabulary, options, **{"new_ids": NEW, **arguments})
    return weights(result.model), result.model


def _all_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_step_of_each_row_is_scaled_and_not_its_gradient() -> None:
    # Adam's first step is -rate * g / |g|, whatever the size of g: -0.1 here, so rows move by -0.1, -0.3 and 0.
    table = torch.nn.Parameter(torch.tensor([[1.0], [1.0], [1.0]]))
    optimizer = torch.optim.AdamW([table], lr=0.1, weight_decay=0.0, eps=1e-12)
    scale_rows(optimizer, {table: torch.tensor([1.0, 3.0, 0.0])})
    table.grad = torch.tensor([[5.0], [0.01], [7.0]])
    optimizer.step()
    torch.testing.assert_close(table.detach(), torch.tensor([[0.9], [0.7], [1.0]]))


@pytest.mark.parametrize("name", ["bert-tied-bias", "llama-untied"])
def test_new_rows_step_further_and_old_rows_as_before(name: str) -> None:
    start = weights(load(name)[0])
    plain, _ = _trained(name, {**FULL, "steps": 1})
    found, model = _trained(name, {**FULL, "steps": 1, "learning_rates": {"new_rows": 4}})
    old = sorted(set(range(len(model.get_input_embeddings().weight))) - set(NEW))
    of_model = parts(model)
    assert of_model.tied == (name == "bert-tied-bias")
    tables = of_model.embeddings | of_model.output | of_model.bias
    for table in tables:
        torch.testing.assert_close(found[table][old], plain[table][old], atol=1e-7, rtol=0)
        step = plain[table][NEW] - start[table][NEW]
        assert step.abs().max() > 1e-3
        torch.testing.assert_close(found[table][NEW] - start[table][NEW], 4 * step, atol=1e-6, rtol=0)
    assert _all_equal({n: plain[n] for n in plain.keys() - tables}, found)


def test_rates_of_one_are_none_and_one_factor_for_all_is_another_learning_rate() -> None:
    options = {"weight_decay": 0.1, "body": "full"}
    plain, ones, doubled, twice = (
        _trained("bert-tied-bias", options | more)[0]
        for more in (
            {},
            {"learning_rates": dict.fromkeys(PARTS, 1.0)},
            {"learning_rate": 2 * SETTINGS["learning_rate"]},
            {"learning_rates": dict.fromkeys(PARTS, 2.0)},
        )
    )
    assert _all_equal(plain, ones)
    assert _all_equal(doubled, twice)
    assert not _all_equal(plain, twice)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_whose_rate_is_zero_stays_bit_for_bit(part: str) -> None:
    start = weights(load("roberta-tied-bias")[0])
    found, model = _trained("roberta-tied-bias", {"body": "full", "weight_decay": 0.1, "learning_rates": {part: 0}})
    of_model = parts(model)
    [table] = of_model.embeddings
    old = sorted(set(range(len(start[table]))) - set(NEW))
    still = {name for name in start if torch.equal(start[name], found[name])}
    rows = {
        "new_rows": torch.equal(start[table][NEW], found[table][NEW]),
        "tables": torch.equal(start[table][old], found[table][old]),
    }
    assert rows == {name: name == part for name in rows}
    assert (of_model.transform <= still) == (part == "head")
    assert (len(of_model.body - still) == 0) == (part == "body")


def test_lora_layers_have_the_rate_of_what_they_change() -> None:
    options = {"embeddings": "lora", "head": "frozen", "learning_rates": {"tables": 0, "new_rows": 0}}
    start = weights(load("llama-untied")[0])
    found, model = _trained("llama-untied", options)
    changed = {name for name in start if not torch.equal(start[name], found[name])}
    assert changed
    assert changed <= parts(model).body


def test_a_phase_may_have_rates_of_its_own() -> None:
    phases = [
        {"steps": 2, "body": "frozen", "learning_rates": {"tables": 0}},
        {"steps": 2, "body": "full"},
    ]
    tables: list[torch.Tensor] = []

    def on_step(step: int, live: PreTrainedModel) -> None:
        tables.append(live.get_input_embeddings().weight.detach().clone())

    start = load("bert-tied-bias")[0].get_input_embeddings().weight.detach()
    _trained("bert-tied-bias", {"steps": 4, "phases": phases}, on_step=on_step, eval_steps=[2, 4])
    old = sorted(set(range(len(start))) - set(NEW))
    assert torch.equal(tables[0][old], start[old])
    assert not torch.equal(tables[0][NEW], start[NEW])
    assert not torch.equal(tables[1][old], start[old])


def test_an_interrupted_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    options = {"checkpoint_every": 1, "body": "full", "learning_rates": {"new_rows": 3, "body": 0.5}}
    whole, _ = _trained("bert-tied-bias", options)

    def stop(step: int, _: PreTrainedModel) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _trained("bert-tied-bias", options, work=tmp_path, on_step=stop, eval_steps=[3])
    assert list(tmp_path.rglob("checkpoint-2"))
    assert _all_equal(whole, _trained("bert-tied-bias", options, work=tmp_path)[0])


def test_rates_that_are_not_used_are_in_no_key() -> None:
    written = AdaptSettings(steps=2, phases=[Phase(steps=2)]).model_dump(mode="json")
    assert "learning_rates" not in written
    assert "learning_rates" not in written["phases"][0]
    used = AdaptSettings(learning_rates={"new_rows": 5}).model_dump(mode="json")  # type: ignore[arg-type]
    assert used["learning_rates"] == {"new_rows": 5.0, "tables": 1.0, "head": 1.0, "body": 1.0}


def test_rates_that_cannot_be_are_refused() -> None:
    for rates, expected in (
        (dict.fromkeys(PARTS, 0), "nothing would train"),
        ({"new_rows": -1}, "learning_rates.new_rows"),
        ({"new_row": 2}, "Did you mean 'new_rows'"),
    ):
        with pytest.raises(LexigraftError, match=expected):
            validate(AdaptSettings, {"learning_rates": rates}, "adapt")
    model, vocabulary = load("bert-tied-bias")
    with pytest.raises(LexigraftError, match="none is known"):
        adapted(model, vocabulary, {"learning_rates": {"new_rows": 2}})

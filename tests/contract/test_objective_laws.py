"""Laws of objectives: their form, and how their batches and losses behave on a tiny model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from fixtures.adapting import CORPUS, load
from lexigraft.core.config.input_files import InputFile
from lexigraft.core.grafting.folder import write_model
from lexigraft.core.models.architecture import ModelKind, model_kind
from lexigraft.core.registry import discover, find, make
from lexigraft.core.training.objective import Objective, read_files
from lexigraft.core.training.packing import Unmarked, pack
from lexigraft.testing.law import outcome_of
from lexigraft.testing.laws.plugin_file import LAWS, require_record
from lexigraft.testing.random_state import global_state

Given = dict[str, list[str]]
MODELS = {"masked": "roberta-tied-bias", "causal": "llama-untied", "seq2seq": "t5-tied"}


def _file(folder: Path, name: str, content: str) -> list[str]:
    (folder / name).write_text(content, encoding="utf-8")
    return [str(folder / name)]


def _dictionary(folder: Path) -> Given:
    return {"dictionary": _file(folder, "dictionary.tsv", "river\tbread\nhouse\tmarket\nmoon\tlight\n")}


def _transliterations(folder: Path) -> Given:
    lines = "".join(f"{line}\t{line.upper()}\n" for line in CORPUS.lines)
    return {"transliterations": _file(folder, "transliterations.tsv", lines)}


def _pairs(folder: Path) -> Given:
    return {"pairs": _transliterations(folder)["transliterations"]}


def _teacher(folder: Path) -> Given:
    write_model(folder, *load("gpt2-tied"))
    return {"teacher": [str(folder)], "text": _file(folder, "text.txt", "The river runs.\nThe moon is light.\n")}


FILES: dict[str, Callable[[Path], Given]] = {
    "causal": lambda folder: {},
    "masked": lambda folder: {},
    "span_corruption": lambda folder: {},
    "translico": _transliterations,
    "lexical_contrast": _dictionary,
    "distil_source": _teacher,
    "entity_prediction": lambda folder: {},
    "translation_pairs": _pairs,
    "code_switch_restore": _dictionary,
}
DRAWS_NOTHING = ("causal", "code_switch_restore")


@pytest.mark.parametrize("name", discover("objective"))
def test_every_objective_is_well_formed(name: str) -> None:
    plugin = discover("objective")[name]
    broken = [one for one in (outcome_of(law, "-", plugin) for law in LAWS) if one.outcome != "passed"]
    assert broken == []
    require_record(plugin, ("Source",))
    cls = find("objective", name)
    assert cls.kinds
    assert cls.kinds <= set(get_args(ModelKind))
    assert all(isinstance(file, InputFile) and file.holds for file in cls.files.values())


@pytest.fixture(params=FILES)
def objective(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Objective, object]:
    """An objective, and what it has read."""
    made = make("objective", request.param)
    return made, read_files(made, FILES[request.param](tmp_path))


def test_batches_and_losses_keep_the_contract(objective: tuple[Objective, object]) -> None:
    """Rows for processes to share, randomness from the generator alone, a finite mean that gradients flow from."""
    made, data = objective
    model, vocabulary = load(MODELS[sorted(made.kinds)[0]])
    ready = made.prepared(data, vocabulary, model.config, 32)  # type: ignore[arg-type]
    assert made.material is None
    assert ready == made
    lines = CORPUS.lines
    packed = (
        ready.pack(vocabulary, lines, 32) if made.packs else pack(vocabulary, lines, 32, kind=model_kind(model.config))
    )
    text = Unmarked.of(np.stack([packed.at(n, 0) for n in range(4)]))
    rows, given = torch.from_numpy(text.ids), {} if text.loss.all() else {"predictable": torch.from_numpy(text.loss)}
    if made.entities:
        given["entities"] = torch.arange(rows.shape[1]).expand(rows.shape)
    again = ready.pack(vocabulary, lines, 32) if made.packs else packed
    assert np.array_equal(again.at(7, 3), packed.at(7, 3))
    kept, state = rows.clone(), global_state()
    first, same, other = (
        ready.batch(rows, vocabulary, torch.Generator().manual_seed(seed), **given) for seed in (1, 1, 2)
    )
    assert all(len(tensor) == 4 for tensor in first.values())
    assert all(torch.equal(tensor, same[name]) for name, tensor in first.items())
    if made.name not in DRAWS_NOTHING:
        assert any(not torch.equal(tensor, other[name]) for name, tensor in first.items())
    loss = ready.loss(model, first)
    loss.backward()
    assert loss.shape == ()
    assert loss.isfinite()
    assert loss > 0
    assert torch.equal(rows, kept)
    assert global_state() == state
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients
    assert all(g.isfinite().all() for g in gradients)
    assert sum(float(g.abs().sum()) for g in gradients) > 0
    shares = ({key: tensor[part] for key, tensor in first.items()} for part in (slice(2), slice(2, 4)))
    assert sum(map(ready.predicted, shares)) == ready.predicted(first) > 0

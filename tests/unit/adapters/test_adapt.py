"""Adaptation: what should train trains, tied stays tied, files give the same model, interruptions change nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import PreTrainedModel

from fixtures.adapting import adapted, load, weights
from fixtures.adapting import main as adapt_until_killed
from fixtures.denormals import all_zeros
from lexigraft.adapters.training.adapt import Adapted
from lexigraft.adapters.training.export import save_adapter
from lexigraft.adapters.training.model_parts import parts
from lexigraft.adapters.training.saved_adapter import load_adapter
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import refuse_long_sequences
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_models import FIXTURES


def _logits(model: PreTrainedModel) -> torch.Tensor:
    ids = torch.arange(5, 25)[None]
    extra = {"decoder_input_ids": ids} if model.config.is_encoder_decoder else {}
    with torch.no_grad():
        return model(input_ids=ids, **extra).logits.float()


def _is_tied(model: PreTrainedModel) -> bool:
    return model.get_input_embeddings().weight is model.get_output_embeddings().weight


def _changed(model: PreTrainedModel, before: dict[str, torch.Tensor]) -> set[str]:
    after = weights(model)
    assert after.keys() == before.keys()
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


@pytest.mark.parametrize("name", ["bert-tied-bias", "gpt2-tied", "llama-untied", "t5-tied"])
def test_lora_changes_the_bodys_matrices_and_nothing_else_of_it(name: str) -> None:
    model, vocabulary = load(name)
    before, found = weights(model), parts(model)
    changed = _changed(adapted(model, vocabulary, {"embeddings": "frozen", "head": "frozen"}).model, before)
    assert changed <= found.body
    assert all(before[n].ndim == 2 for n in changed)
    assert not any("position" in n or "wpe" in n or "relative" in n or "norm" in n.lower() for n in changed)
    assert len(changed) >= 8


@pytest.mark.parametrize("name", ["roberta-tied-bias", "llama-untied", "gpt2-tied", "t5-tied"])
def test_tables_alone_leave_the_body_bit_for_bit(name: str) -> None:
    model, vocabulary = load(name)
    before, found = weights(model), parts(model)
    result = adapted(model, vocabulary, {"body": "frozen"})
    assert _changed(result.model, before) == found.embeddings | found.output | found.bias | found.transform
    assert set(result.trained) == found.embeddings | found.output | found.bias | found.transform
    assert result.lora == {}


@pytest.mark.parametrize("name", ["bert-tied-bias", "roberta-padded", "llama-untied", "llama-bf16", "gpt2-tied"])
def test_new_rows_leave_old_rows_bit_for_bit(name: str) -> None:
    model, vocabulary = load(name)
    before = weights(model)
    rows = model.get_input_embeddings().weight.shape[0]
    new = list(range(40, vocabulary.size, 3))
    old = sorted(set(range(rows)) - set(new))
    result = adapted(
        model,
        vocabulary,
        {"embeddings": "new_rows", "head": "new_rows", "body": "frozen", "weight_decay": 0.1},
        new_ids=new,
    )
    after, found = weights(result.model), parts(model)
    assert _changed(result.model, before) == found.embeddings | found.output | found.bias
    for table in found.embeddings | found.output | found.bias:
        assert torch.equal(after[table][old], before[table][old])
        assert not torch.equal(after[table][new], before[table][new])
    width = sum(before[t].numel() // rows for t in found.embeddings | found.output | found.bias)
    assert result.trainable_parameters == len(new) * width


@pytest.mark.parametrize(
    ("name", "embeddings"),
    [
        ("llama-tied", "full"),
        ("llama-untied", "full"),
        ("llama-untied", "lora"),
        ("gpt2-tied", "full"),
        ("roberta-tied-bias", "full"),
    ],
)
def test_the_input_row_of_an_end_token_that_pads_too_trains(name: str, embeddings: str) -> None:
    end = load(name)[1].specials["eos"]
    change = {}
    for shared in (False, True):
        model, vocabulary = load(name)
        if shared:
            vocabulary.tokenizer.pad_token = vocabulary.tokenizer.eos_token
            vocabulary = Vocabulary.of(vocabulary.tokenizer)
            model.get_input_embeddings().padding_idx = end  # as the model's class sets it from the configuration
        before = weights(model)
        adapted(model, vocabulary, {"embeddings": embeddings, "head": "frozen", "body": "frozen"})
        table = next(iter(parts(model).embeddings))
        change[shared] = (model.get_parameter(table) - before[table])[end]
    assert change[True].abs().max() > 0
    torch.testing.assert_close(change[True], change[False])


def test_lora_on_untied_tables_is_merged() -> None:
    model, vocabulary = load("llama-untied")
    before, found = weights(model), parts(model)
    result = adapted(model, vocabulary, {"embeddings": "lora", "head": "lora", "body": "frozen"})
    assert _changed(result.model, before) == found.embeddings | found.output
    assert result.trained == ()


@pytest.mark.parametrize("name", ["bert-tied-bias", "t5-tied", "gpt2-tied"])
def test_top_and_bottom_layers(name: str) -> None:
    model, vocabulary = load(name)
    before, found = weights(model), parts(model)
    changed = _changed(
        adapted(model, vocabulary, {"body": "top_bottom:1", "embeddings": "frozen", "head": "frozen"}).model, before
    )
    assert changed <= found.body
    assert any("norm" in n.lower() or "ln_" in n for n in changed)
    assert not any("position" in n or "wpe" in n for n in changed)
    with pytest.raises(LexigraftError, match="layers that are not there"):
        adapted(model, vocabulary, {"body": "top_bottom:3"})


def test_chosen_lora_targets_only() -> None:
    model, vocabulary = load("llama-tied")
    before = weights(model)
    options = {"embeddings": "frozen", "head": "frozen", "lora_targets": ["q_proj", "v_proj"]}
    changed = _changed(adapted(model, vocabulary, options).model, before)
    assert {n.split(".")[-2] for n in changed} == {"q_proj", "v_proj"}
    with pytest.raises(LexigraftError, match=r"no linear layer .*q_proj"):
        adapted(model, vocabulary, options | {"lora_targets": ["q_prj"]})


def test_impossible_wishes_are_refused_before_anything_changes() -> None:
    for name in ("bert-tied-bias", "t5-tied", "mt5-untied"):
        model, vocabulary = load(name)
        before = weights(model)
        with pytest.raises(LexigraftError, match="several parts of the model share"):
            adapted(model, vocabulary, {"embeddings": "lora"})
        assert not _changed(model, before)
    model, vocabulary = load("bert-tied-bias")
    with pytest.raises(LexigraftError, match="no new rows"):
        adapted(model, vocabulary, {"embeddings": "new_rows"})
    with pytest.raises(LexigraftError, match="beyond the table"):
        adapted(model, vocabulary, {"embeddings": "new_rows"}, new_ids=[99999])
    with pytest.raises(LexigraftError, match="nothing trains"):
        adapted(model, vocabulary, {"embeddings": "frozen", "head": "frozen", "body": "frozen"})


def test_phases_follow_each_other_and_count_their_steps_together() -> None:
    model, vocabulary = load("bert-tied-bias", dropout=0.1)
    phases = [
        {"steps": 2, "embeddings": "full", "head": "full", "body": "frozen"},
        {"steps": 3, "embeddings": "frozen", "head": "frozen", "body": "lora"},
    ]
    seen: list[int] = []
    tables: list[torch.Tensor] = []

    def on_step(step: int, live: PreTrainedModel) -> None:
        assert not live.training
        seen.append(step)
        tables.append(live.get_input_embeddings().weight.detach().clone())

    result = adapted(model, vocabulary, {"steps": 5, "phases": phases}, on_step=on_step, eval_steps=[1, 2, 5])
    assert seen == [1, 2, 5]
    assert [step for step, _ in result.losses] == [1, 2, 3, 4, 5]
    assert not torch.equal(tables[0], tables[1])
    assert torch.equal(tables[1], tables[2])
    assert result.tokens_trained == 5 * 64


def test_no_steps_change_nothing() -> None:
    model, vocabulary = load("bert-tied-bias")
    before = weights(model)
    assert not _changed(adapted(model, vocabulary, {"steps": 0}).model, before)


def test_the_same_seed_gives_the_same_weights_whatever_the_global_state_and_the_evaluations() -> None:
    results = []
    for salt in (1, 2):
        torch.manual_seed(salt)
        state = torch.random.get_rng_state()
        model, vocabulary = load("bert-tied-bias", dropout=0.1)
        on_step = (lambda step, live: {"noise": torch.rand(()).item()}) if salt == 2 else None
        results.append(adapted(model, vocabulary, {}, on_step=on_step, eval_steps=[1, 2, 3]))
        assert torch.equal(state, torch.random.get_rng_state())
    first, second = (weights(r.model) for r in results)
    assert all(torch.equal(first[n], second[n]) for n in first)
    assert results[0].losses == results[1].losses
    assert set(results[1].evaluations) == {1, 2, 3}
    model, vocabulary = load("bert-tied-bias", dropout=0.1)
    other = weights(adapted(model, vocabulary, {"seed": 4}).model)
    assert not all(torch.equal(first[n], other[n]) for n in first)


PHASES = [{"steps": 5, "body": "frozen"}, {"steps": 4, "embeddings": "frozen", "head": "frozen"}]


@pytest.fixture(scope="module")
def whole() -> Adapted:
    """A run of two phases that nothing interrupts, evaluated at every step."""
    model, vocabulary = load("bert-tied-bias", dropout=0.1)
    options = {"steps": 9, "phases": PHASES}
    return adapted(model, vocabulary, options, on_step=lambda step, _: {"step": float(step)}, eval_steps=range(10))


@pytest.mark.parametrize("kill_at", [3, 6])
def test_an_interrupted_run_of_two_phases_ends_with_the_same_weights(
    whole: Adapted, kill_at: int, tmp_path: Path
) -> None:
    options = {"steps": 9, "phases": PHASES, "checkpoint_every": 2}

    def on_step(step: int, _: PreTrainedModel) -> dict[str, float]:
        if step == stop:
            raise KeyboardInterrupt
        return {"step": float(step)}

    arguments = {"on_step": on_step, "eval_steps": range(10)}
    stop = kill_at
    model, vocabulary = load("bert-tied-bias", dropout=0.1)
    with pytest.raises(KeyboardInterrupt):
        adapted(model, vocabulary, options, work=tmp_path, **arguments)
    saved = sorted(p.name for p in tmp_path.rglob("checkpoint-*"))
    assert saved
    stop = 0
    model, vocabulary = load("bert-tied-bias", dropout=0.1)
    continued = adapted(model, vocabulary, options, work=tmp_path, **arguments)
    expected, got = weights(whole.model), weights(continued.model)
    assert all(torch.equal(expected[n], got[n]) for n in expected)
    assert continued.losses == whole.losses
    assert continued.evaluations == whole.evaluations
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("number", "stop_at"), [(signal.SIGTERM, 3), (signal.SIGUSR1, 5), (signal.SIGTERM, 9)])
def test_a_signal_saves_a_checkpoint_from_which_the_run_goes_on(
    whole: Adapted, number: signal.Signals, stop_at: int, tmp_path: Path
) -> None:
    options = {"steps": 9, "phases": PHASES, "checkpoint_every": 100}
    told = [0]

    def on_step(step: int, _: PreTrainedModel) -> dict[str, float]:
        if step == stop_at and told == [0]:
            told.append(step)
            os.kill(os.getpid(), number)
        return {"step": float(step)}

    arguments = {"on_step": on_step, "eval_steps": range(10)}
    before = signal.getsignal(number)
    model, vocabulary = load("bert-tied-bias", dropout=0.1)
    with pytest.raises(SystemExit) as ended:
        adapted(model, vocabulary, options, work=tmp_path, **arguments)
    assert ended.value.code == 128 + number
    assert signal.getsignal(number) is before
    step = f"phase-0/checkpoint-{stop_at}" if stop_at <= 5 else f"phase-1/checkpoint-{stop_at - 5}"
    assert list(tmp_path.glob(f"*/{step}"))
    model, vocabulary = load("bert-tied-bias", dropout=0.1)
    continued = adapted(model, vocabulary, options, work=tmp_path, **arguments)
    expected, got = weights(whole.model), weights(continued.model)
    assert all(torch.equal(expected[n], got[n]) for n in expected)
    assert continued.losses == whole.losses
    assert continued.evaluations == whole.evaluations
    assert not list(tmp_path.iterdir())


def test_checkpoints_of_another_run_are_not_continued(tmp_path: Path) -> None:
    def on_step(step: int, _: PreTrainedModel) -> None:
        if step == 3:
            raise KeyboardInterrupt

    model, vocabulary = load("bert-tied-bias")
    options = {"checkpoint_every": 1}
    with pytest.raises(KeyboardInterrupt):
        adapted(model, vocabulary, options, work=tmp_path, on_step=on_step, eval_steps=[3])
    [left] = tmp_path.iterdir()
    model, vocabulary = load("bert-tied-bias")
    fresh = adapted(model, vocabulary, options | {"learning_rate": 2e-2}, work=tmp_path)
    assert [step for step, _ in fresh.losses] == [1, 2, 3, 4]
    assert [left] == list(tmp_path.iterdir())
    checkpoint = next(left.rglob("checkpoint-2"))
    assert {p.name for p in checkpoint.iterdir()} == {
        "trained.safetensors",
        "optimizer.pt",
        "scheduler.pt",
        "rng_state.pth",
        "trainer_state.json",
    }


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_a_killed_process_continues_to_the_same_weights(tmp_path: Path) -> None:
    whole, resumed = str(tmp_path / "whole.pt"), str(tmp_path / "resumed.pt")
    adapt_until_killed("roberta-tied-bias", str(tmp_path / "a"), whole, "0")
    command = [sys.executable, "-m", "fixtures.adapting", "roberta-tied-bias", str(tmp_path / "b"), resumed, "5"]
    assert subprocess.run(command, check=False, cwd=Path(__file__).parents[2]).returncode == -9
    adapt_until_killed("roberta-tied-bias", str(tmp_path / "b"), resumed, "0")
    expected, got = (torch.load(path, weights_only=True) for path in (whole, resumed))
    assert all(torch.equal(expected[0][n], got[0][n]) for n in expected[0])
    assert expected[1:] == got[1:]


def test_what_an_interrupted_save_left_is_not_read(tmp_path: Path) -> None:
    from lexigraft.adapters.training.loop import last_checkpoint

    (tmp_path / "partial-8" / "checkpoint-8").mkdir(parents=True)
    (tmp_path / "checkpoint-4").mkdir()
    (tmp_path / "checkpoint-12").mkdir()
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-12"
    assert not (tmp_path / "partial-8").exists()
    assert last_checkpoint(tmp_path / "none") is None


def test_gradient_checkpointing_gives_the_same_weights() -> None:
    results = []
    for checkpointing in (False, True):
        model, vocabulary = load("llama-tied")
        results.append(weights(adapted(model, vocabulary, {"gradient_checkpointing": checkpointing}).model))
        assert not model.is_activation_checkpointing
    for name, value in results[0].items():
        torch.testing.assert_close(results[1][name], value, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_bfloat16_weights_train_and_evaluate_beside_float32_lora(checkpointing: bool) -> None:
    def on_step(step: int, live: PreTrainedModel) -> dict[str, float]:
        return {"largest": _logits(live).abs().max().item()}

    model, vocabulary = load("llama-bf16")
    options = {"precision": "bfloat16", "gradient_checkpointing": checkpointing, "lora_dropout": 0.1}
    result = adapted(model, vocabulary, options, on_step=on_step, eval_steps=[1, 4])
    assert result.evaluations.keys() == {1, 4}
    model, _ = load("llama-bf16")
    exact = adapted(model, vocabulary, {"precision": "float32", "lora_dropout": 0.1})
    for (_, loss), (_, wanted) in zip(result.losses, exact.losses, strict=True):
        assert loss == pytest.approx(wanted, abs=0.05)


@pytest.mark.parametrize("stopped", [False, True])
def test_pefts_casts_are_off_under_autocast_and_back_afterwards(stopped: bool) -> None:
    def on_step(step: int, live: PreTrainedModel) -> None:
        layers.extend(m for m in live.modules() if isinstance(m, BaseTunerLayer))
        assert not any(layer.cast_input_dtype_enabled for layer in layers)
        if stopped:
            raise KeyboardInterrupt

    layers: list[BaseTunerLayer] = []
    model, vocabulary = load("llama-bf16")
    with pytest.raises(KeyboardInterrupt) if stopped else nullcontext():
        adapted(model, vocabulary, {"precision": "bfloat16"}, on_step=on_step, eval_steps=[2])
    assert layers
    assert all(layer.cast_input_dtype_enabled for layer in layers)


def test_a_loss_that_is_no_number_stops_the_run() -> None:
    model, vocabulary = load("bert-tied-bias")
    with torch.no_grad():
        model.bert.encoder.layer[0].output.dense.bias[0] = float("nan")
    with pytest.raises(LexigraftError, match="not finite"):
        adapted(model, vocabulary, {})


@pytest.mark.parametrize("ends", ["whole", "in an error", "resumed"])
def test_denormals_are_zeros_while_it_trains_and_not_afterwards(ends: str, tmp_path: Path) -> None:
    seen: list[bool] = []

    def on_step(step: int, _: PreTrainedModel) -> None:
        seen.append(all_zeros())
        if ends != "whole" and len(seen) == 3:
            raise KeyboardInterrupt

    def run() -> None:
        model, vocabulary = load("bert-tied-bias")
        adapted(model, vocabulary, {"checkpoint_every": 1}, work=tmp_path, on_step=on_step, eval_steps=range(9))

    if ends != "whole":
        with pytest.raises(KeyboardInterrupt):
            run()
        assert not all_zeros()
    if ends != "in an error":
        run()
    assert set(seen) == {True}
    assert not all_zeros()


def test_output_folders_are_not_overwritten_and_strange_adapters_are_refused(tmp_path: Path) -> None:
    model, vocabulary = load("bert-tied-bias")
    result = adapted(model, vocabulary, {"steps": 1})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(LexigraftError, match="output folder exists"):
        save_adapter(result, tmp_path / "full")
    save_adapter(result, tmp_path / "adapter")
    with pytest.raises(LexigraftError, match="another model"):
        load_adapter(load("llama-tied")[0], tmp_path / "adapter")
    with pytest.raises(LexigraftError, match="no adapter"):
        load_adapter(model, tmp_path / "full")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["adapter", "full"]


@pytest.mark.parametrize("name", [s.name for s in FIXTURES])
def test_sequences_longer_than_the_table_of_positions_are_refused(name: str) -> None:
    model, vocabulary = load(name)
    length = 4096
    if model.config.model_type in ("bert", "roberta", "xlm-roberta", "gpt2"):
        with pytest.raises(LexigraftError, match=r"longer than the model takes: 4096 tokens, \d+ positions"):
            adapted(model, vocabulary, {"sequence_length": length})
    else:
        refuse_long_sequences(model, length)

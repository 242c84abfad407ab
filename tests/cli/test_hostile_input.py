"""Input that nobody writes by accident: one error, exit code 2, in bounded time, and nothing is left or replaced."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from fixtures.commands import Files, Outcome, lexigraft

pytestmark = pytest.mark.slow


def refused(outcome: Outcome, *expected: str) -> None:
    """One line of error, as text."""
    assert outcome.code == 2, outcome
    assert "Traceback" not in outcome.err
    errors = [line for line in outcome.err.splitlines() if line.strip()]
    assert len(errors) == 1, outcome.err
    assert errors[0].startswith("error: ")
    for part in expected:
        assert part in errors[0]


@pytest.mark.parametrize("command", ["adapt", "pretrain", "tokenizer", "evaluate", "graft"])
def test_half_of_a_surrogate_pair_is_one_error_in_every_command(command: str, files: Files, tmp_path: Path) -> None:
    text = tmp_path / "t.jsonl"
    text.write_text('{"text": "wasi"}\n{"text": "wasi \\ud83d runa"}\n')
    out = tmp_path / "out"
    arguments: dict[str, list[object]] = {
        "adapt": ["adapt", files.source, "--corpus", text, "--out", out],
        "pretrain": ["pretrain", "--corpus", text, "--tokenizer", files.target, "--out", out],
        "tokenizer": ["tokenizer", "train", "--corpus", text, "--out", out],
        "evaluate": ["evaluate", files.source, "--heldout", text],
        "graft": files.graft(out, strategy="focus", corpus=text),
    }
    refused(lexigraft(*arguments[command]), "half of a surrogate pair", "line 2")
    assert not out.exists()


@pytest.mark.parametrize("command", ["adapt", "pretrain", "tokenizer", "graft", "compare"])
@pytest.mark.parametrize("kind", ["pipe", "circle", "nowhere", "under a file", "long"])
def test_an_output_that_cannot_be_a_folder_is_one_error(command: str, kind: str, files: Files, tmp_path: Path) -> None:
    out = tmp_path / "out"
    if kind == "pipe":
        os.mkfifo(out)
    elif kind in ("circle", "nowhere"):
        out.symlink_to("out" if kind == "circle" else "gone")
    elif kind == "under a file":
        out.write_text("precious")
        out /= "deep"
    else:
        out = tmp_path / ("n" * 300)
    before = {p: p.lstat().st_mode for p in tmp_path.iterdir()}
    arguments: dict[str, list[object]] = {
        "adapt": ["adapt", files.source, "--corpus", files.text, "--out", out, "--force"],
        "pretrain": ["pretrain", "--corpus", files.text, "--tokenizer", files.target, "--out", out, "--force"],
        "tokenizer": ["tokenizer", "train", "--corpus", files.text, "--out", out, "--force"],
        "graft": [*files.graft(out), "--force"],
        "compare": ["compare", recipe(files, tmp_path / ".." / f"{tmp_path.name}-recipe"), "--out", out],
    }
    refused(lexigraft(*arguments[command]), "output")
    assert {p: p.lstat().st_mode for p in tmp_path.iterdir()} == before


def recipe(files: Files, folder: Path, **changed: object) -> Path:
    values: dict[str, object] = {
        "source": str(files.source),
        "target_tokenizer": str(files.target),
        "corpus": {"train": str(files.text), "heldout_lines": 4},
        "strategies": ["random", "mean"],
        "seeds": [0],
        "adaptation": {"steps": 2, "batch_tokens": 64, "sequence_length": 32, "probe_step": 0},
        "tracking": {"enabled": False},
    }
    folder.mkdir(exist_ok=True)
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(values | changed))
    return path


def adaptation(**changed: object) -> dict[str, object]:
    return {"adaptation": {"steps": 2, "batch_tokens": 64, "sequence_length": 32, "probe_step": 0} | changed}


RECIPES: dict[str, tuple[dict[str, object], tuple[str, ...]]] = {
    "chain of nothing": ({"strategies": [{"chain": None}]}, ("chain must be a list",)),
    "negative seed": ({"seeds": [-1]}, ("seeds",)),
    "seed beyond": ({"seeds": [2**64]}, ("seeds",)),
    "steps beyond": (adaptation(steps=10**30), ("adaptation.steps",)),
    "unknown rule": ({"graft": {"rules": ["nfcc"]}}, ("match rule", "Did you mean 'nfc'?")),
    "unknown device": ({"graft": {"device": "toaster"}}, ("toaster",)),
    "budget beyond": ({"graft": {"memory_budget": "9" * 400 + "GB"}}, ("not valid",)),
    "bad phase": (adaptation(phases=[{"steps": 2, "body": "half"}]), ("phases.0.body",)),
    "phase that trains nothing": (
        adaptation(phases=[{"steps": 2, "embeddings": "frozen", "head": "frozen", "body": "frozen"}]),
        ("nothing trains",),
    ),
    "more layers than there are": (adaptation(body="top_bottom:99"), ("top_bottom", "Choose between")),
    "LoRA on a layer that is not there": (adaptation(lora_targets=["queri"]), ("no linear layer",)),
    "sequences too long": (adaptation(sequence_length=2**20, batch_tokens=2**20), ("longer than the model takes",)),
    "objective of another kind": (adaptation(objective="causal"), ("does not suit",)),
    "evaluator option beyond": (
        {"evaluation": {"options": {"bits_per_byte": {"stripes": 10**12}}}},
        ("stripes must be", "1,000"),
    ),
    "option of no evaluator": ({"evaluation": {"options": {"bits_per_bite": {}}}}, ("Did you mean 'bits_per_byte'?",)),
    "poor model's objective of another kind": (
        {"poor_model": {"preset": "roberta-tiny", "objective": "causal", "objective_options": {}}},
        ("does not suit",),
    ),
    "poor model's unknown option": (
        {"poor_model": {"preset": "roberta-tiny", "objective_options": {"mask_shar": 0.3}}},
        ("mask_share",),
    ),
    "poor model's endless sequences": ({"poor_model": {"sequence_length": 10**9}}, ("sequence_length",)),
    "unknown preset": ({"poor_model": {"preset": "roberta-tini"}}, ("roberta-tiny",)),
    "tokenizer found missing late": ({"target_tokenizer": "./nowhere"}, ("nowhere",)),
    "the source's own tokenizer": ({"tracking": {"enabled": True}}, ("equals the source",)),
}


@pytest.mark.parametrize("mistake", RECIPES)
def test_a_recipe_is_checked_before_the_first_cell_and_leaves_no_folder(
    mistake: str, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    changed, expected = RECIPES[mistake]
    if mistake == "the source's own tokenizer":
        changed = changed | {"target_tokenizer": str(files.source)}
    out = tmp_path / "out"
    outcome = lexigraft("compare", recipe(files, tmp_path, **changed), "--out", out, "--json")
    assert outcome.code == 2, outcome
    assert "Traceback" not in outcome.err
    said = " ".join(str(v) for v in outcome.json.values())
    assert "cells failed" not in said
    for part in expected:
        assert part in said
    assert not out.exists()


@pytest.mark.parametrize("mistake", RECIPES)
def test_doctor_finds_what_a_comparison_would_refuse(mistake: str, files: Files, tmp_path: Path) -> None:
    changed, expected = RECIPES[mistake]
    if mistake == "the source's own tokenizer":
        changed = {"target_tokenizer": str(files.source)}
    outcome = lexigraft("doctor", recipe(files, tmp_path, **changed), "--json")
    assert outcome.code == 2, outcome
    bad = " ".join(f["what"] for f in outcome.json["findings"] if f["mark"] == "bad")
    for part in expected:
        assert part in bad


TEXTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "alias bomb": (
        lambda p: p.write_text(
            "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
        ),
        "too many values",
    ),
    "alias in a circle": (lambda p: p.write_text("source: &a [*a]\n"), "contains it"),
    "deep": (lambda p: p.write_text("[" * 5000), "nested too deep"),
    "pipe": (os.mkfifo, "not a file"),
}


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("command", ["compare", "doctor"])
def test_a_recipe_that_is_an_attack_is_refused(kind: str, command: str, tmp_path: Path) -> None:
    make, expected = TEXTS[kind]
    path, out = tmp_path / "recipe.yaml", tmp_path / "out"
    make(path)
    outcome = lexigraft(*{"compare": ["compare", path, "--out", out], "doctor": ["doctor", path]}[command])
    assert outcome.code == 2, outcome
    assert expected in outcome.out + outcome.err
    assert "Traceback" not in outcome.err
    assert not out.exists()


def test_more_jobs_than_a_machine_can_run_are_refused(files: Files, tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused(lexigraft("compare", recipe(files, tmp_path), "--out", out, "--jobs", 1_000_000), "1000000", "--jobs")
    assert not out.exists()

"""A transfer study as a user runs it: donors and targets, controls, a graft; killed and resumed; bad recipes."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.commands import lexigraft
from lexigraft.core.data.cloned_language import clone_language
from lexigraft.core.evaluation.statistics.paired_comparison import difference_of_seeds
from lexigraft.testing.sample_text import SOURCE_TEXT, TARGET_TEXT
from lexigraft.testing.tiny_models import fixture

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-c", "from lexigraft.cli.main import main; main()", "transfer"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": "src"}


def write_recipe(folder: Path, **changes: Any) -> Path:
    """A source model and texts of four languages; returns the recipe's path."""
    folder.mkdir(exist_ok=True)
    model, source, _ = fixture("roberta-tied-bias")
    model.save_pretrained(folder / "source")
    source.save_pretrained(folder / "source")
    english = [line for line in SOURCE_TEXT.splitlines() if line.strip()]
    texts = {"english": english, "clone": clone_language(english, seed=1).lines}
    texts |= {"near": clone_language(english, seed=2).lines, "far": [s for s in TARGET_TEXT.splitlines() if s.strip()]}
    for name, lines in texts.items():
        numbered = [f"{line} {n}" for n in range(4) for line in lines]
        (folder / f"{name}.txt").write_text("\n".join(numbered[6:]), encoding="utf-8")
        (folder / f"{name}.heldout.txt").write_text("\n".join(numbered[:6]), encoding="utf-8")
    long = " ".join(f"w{n}" for n in range(20))
    (folder / "copied.txt").write_text(f"{texts['near'][0]} copied: {long}", encoding="utf-8")
    with (folder / "near.heldout.txt").open("a", encoding="utf-8") as file:
        file.write(f"\n{long} and more")
    values: dict[str, Any] = {
        "name": "tiny transfer",
        "source": "./source",
        "donors": {"english": {"train": "./english.txt", "language": "eng"}, "clone": {"train": "./clone.txt"}},
        "targets": {name: {"heldout": f"./{name}.heldout.txt", "train": f"./{name}.txt"} for name in ("near", "far")},
        "seeds": [0, 1],
        "measure_at": [2],
        "adaptation": {"steps": 4, "batch_tokens": 64, "sequence_length": 32},
        "evaluation": {"options": {"bits_per_byte": {"stripes": 2}}},
        "tracking": {"enabled": False},
    }
    recipe = folder / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(values | changes, sort_keys=False), encoding="utf-8")
    return recipe


def matrix(out: Path) -> dict[tuple[str, str, str], dict[str, str]]:
    with (out / "matrix.csv").open(newline="") as file:
        return {(row["metric"], row["donor"], row["target"]): row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    done = lexigraft("transfer", write_recipe(folder), "--out", folder / "out")
    assert done.code == 0, done.err
    return folder / "out"


def test_every_pair_and_control_is_in_the_matrix(study: Path) -> None:
    found = matrix(study)
    assert set(found) == {
        ("bits_per_byte", donor, target) for donor in ("english", "clone", "near", "far") for target in ("near", "far")
    }
    for (_, donor, _), row in found.items():
        assert row["control"] == str(int(donor in ("near", "far")))
        assert float(row["gain"]) == pytest.approx(float(row["zero_shot"]) - float(row["adapted"]))
        assert float(row["low"]) <= float(row["gain"]) <= float(row["high"])
        assert (row["items"], row["seeds"]) == ("7" if row["target"] == "near" else "6", "2")
        assert bool(row["token_overlap"]) == (row["control"] == "0")
    # English donates its own word pieces; nothing of the made languages is in the English vocabulary whole.
    assert 0 < float(found["bits_per_byte", "english", "near"]["token_overlap"]) <= 1


def test_the_gain_is_that_of_the_scores(study: Path) -> None:
    with (study / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    values = {
        (r["strategy"], r["seed"], r["step"]): float(r["value"]) for r in rows if r["metric"] == "bits_per_byte/far"
    }
    zero = values["zero-shot", "0", "0"]
    gains = [zero - values["clone", seed, "4"] for seed in "01"]
    assert float(matrix(study)["bits_per_byte", "clone", "far"]["gain"]) == pytest.approx(
        difference_of_seeds(gains).mean
    )
    assert {("clone", seed, step) for seed in "01" for step in "24"} <= set(values)


def test_the_page_shows_the_matrix_and_the_curves(study: Path) -> None:
    text = (study / "report.html").read_text(encoding="utf-8")
    assert "2 donors, 2 targets, 2 seeds: of 4 pairs" in text
    assert text.count('<table class="matrix">') == 1
    assert text.count('<svg class="curves"') == 2
    assert text.count(">control</span>") == 2
    assert "token overlap: Spearman" in text
    assert "4 pairs of 2 donors and 2 targets" in text
    assert "https://" not in text


def test_killed_and_resumed_it_ends_with_the_same_matrix(study: Path, tmp_path: Path) -> None:
    recipe, out = write_recipe(tmp_path), tmp_path / "out"
    command = [*COMMAND, str(recipe), "--out", str(out)]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while len(list(out.glob("cells/*/result.json"))) < 3 and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {path: path.stat().st_mtime_ns for path in out.glob("cells/*/result.json")}
    assert lexigraft("transfer", recipe, "--out", out).code == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert (out / "matrix.csv").read_bytes() == (study / "matrix.csv").read_bytes()


def test_a_graft_of_each_targets_vocabulary(tmp_path: Path) -> None:
    targets = {
        "far": {
            "heldout": "./far.heldout.txt",
            "train": "./far.txt",
            "tokenizer": {"type": "unigram", "size": 300},
        }
    }
    graft = {"strategy": "subword_mean", "steps": 2}
    recipe = write_recipe(tmp_path, targets=targets, graft=graft, seeds=[0], target_controls=False)
    done = lexigraft("transfer", recipe, "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    pairs = {(p["metric"], p["donor"]): p for p in done.json["pairs"]}
    assert set(pairs) == {(m, d) for m in ("bits_per_byte", "bits_per_byte.grafted") for d in ("english", "clone")}
    assert pairs["bits_per_byte.grafted", "english"]["adapted"] != pairs["bits_per_byte", "english"]["adapted"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"donors": {"near": {"train": "./near.txt"}}}, "'near' is a donor and a target"),
        ({"targets": {"far": {"heldout": "./far.heldout.txt"}}}, "no train text"),
        ({"adaptation": {"steps": 0}}, "adaptation.steps must be at least 1"),
        ({"seeds": [1, 1]}, "seeds repeat"),
        ({"donors": {"english": {"train": "./nowhere.txt"}}}, "nowhere.txt"),
        ({"donors": {"english": {"trian": "./english.txt"}}}, "Did you mean 'train'"),
        ({"donors": {"english": {"train": "./near.heldout.txt"}}}, "text of english"),
        ({"donors": {"english": {"train": "./copied.txt"}}}, "share a sequence of 13 words"),
        ({"evaluation": {"evaluators": ["bits_per_bite"]}}, "Did you mean 'bits_per_byte'"),
        ({"graft": {"strategy": "subword_mean"}}, "needs a tokenizer and train text"),
        (
            {
                "targets": {
                    "far": {"heldout": "./far.heldout.txt", "train": "./far.txt", "language": "eng"},
                }
            },
            "has the language of a target, eng",
        ),
    ],
)
def test_a_bad_recipe_is_one_error(changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    done = lexigraft("transfer", write_recipe(tmp_path, **changes), "--out", tmp_path / "out")
    assert done.code == 2
    assert says in done.err
    assert "Traceback" not in done.err
    assert not list((tmp_path / "out").glob("**/result.json"))

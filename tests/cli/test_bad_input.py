"""Every mistake a user can make: one clear line, exit code 2, no traceback, nothing half-written."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from fixtures.commands import Files, Outcome, lexigraft, write_files
from fixtures.tracking import free_port

pytestmark = pytest.mark.slow
Change = Callable[[Files, Path], dict[str, object]]


def refused(outcome: Outcome, *expected: str) -> None:
    """One line of error, as text."""
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    errors = [line for line in outcome.err.splitlines() if line.strip()]
    assert len(errors) == 1, outcome.err
    assert errors[0].startswith("error: ")
    for part in expected:
        assert part in errors[0]


def refused_json(outcome: Outcome, *expected: str) -> None:
    """One JSON object and nothing else on standard output."""
    assert outcome.code == 2, outcome
    assert set(outcome.json) == {"error", "value", "hint"}
    assert "Traceback" not in outcome.err
    said = " ".join(str(v) for v in outcome.json.values())
    for part in expected:
        assert part in said


def model_copy(files: Files, folder: Path) -> Path:
    return Path(shutil.copytree(files.source, folder / "changed"))


def edit_json(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def with_table_value(files: Files, folder: Path, value: float) -> Path:
    from safetensors.torch import load_file, save_file

    changed = model_copy(files, folder)
    tensors = load_file(changed / "model.safetensors")
    tensors["roberta.embeddings.word_embeddings.weight"][7, 3] = value
    save_file(tensors, changed / "model.safetensors", {"format": "pt"})
    return changed


def sharded(files: Files, folder: Path) -> Path:
    from transformers import AutoModelForMaskedLM

    changed = model_copy(files, folder)
    (changed / "model.safetensors").unlink()
    AutoModelForMaskedLM.from_pretrained(files.source).save_pretrained(changed, max_shard_size="60KB")
    assert len(list(changed.glob("model-*.safetensors"))) > 1
    return changed


def missing_shard(files: Files, folder: Path) -> Path:
    changed = sharded(files, folder)
    sorted(changed.glob("model-*.safetensors"))[0].unlink()
    return changed


def truncated_shard(files: Files, folder: Path) -> Path:
    changed = sharded(files, folder)
    shard = sorted(changed.glob("model-*.safetensors"))[0]
    os.truncate(shard, shard.stat().st_size - 1)
    return changed


def pickled(files: Files, folder: Path) -> Path:
    changed = model_copy(files, folder)
    (changed / "model.safetensors").rename(changed / "pytorch_model.bin")
    return changed


def quantized(files: Files, folder: Path) -> Path:
    changed = model_copy(files, folder)
    edit_json(changed / "config.json", quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True})
    return changed


def ids_beyond_the_table(files: Files, folder: Path) -> Path:
    from transformers import PreTrainedTokenizerFast

    changed = model_copy(files, folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(changed)
    tokenizer.add_tokens(["brandnew", "evennewer"])
    tokenizer.save_pretrained(changed)
    return changed


def damaged(files: Files, folder: Path) -> Path:
    changed = model_copy(files, folder)
    (changed / "model.safetensors").write_bytes(b"not weights")
    return changed


def tokenizer_lacking(folder: Path, role: str) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = [("<unk>", 0.0), ("<pad>", 0.0), ("▁", -1.0), ("a", -2.0), ("b", -2.5)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=None if role == "unk" else 0))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    roles = {f"{r}_token": f"<{r}>" for r in ("unk", "pad") if r != role}
    PreTrainedTokenizerFast(tokenizer_object=backend, **roles).save_pretrained(folder / "lacking")
    return folder / "lacking"


MISTAKES: dict[str, tuple[Change, tuple[str, ...]]] = {
    "missing model": (lambda f, p: {"source": p / "nowhere"}, ("not found", "nowhere")),
    "folder without a model": (lambda f, p: {"source": f.target}, ("holds no model", "config.json")),
    "missing tokenizer": (lambda f, p: {"target_tokenizer": p / "nowhere"}, ("tokenizer not found",)),
    "broken tokenizer": (
        lambda f, p: {"target_tokenizer": written(p / "tokenizer.json", b"{}")},
        ("tokenizer cannot be loaded", "tokenizer.json"),
    ),
    "missing corpus": (lambda f, p: {"strategy": "focus", "corpus": p / "no.txt"}, ("text not found", "no.txt")),
    "empty corpus": (
        lambda f, p: {"strategy": "focus", "corpus": written(p / "e.txt", b"\n  \n")},
        ("corpus is empty", "e.txt"),
    ),
    "corpus is not UTF-8": (
        lambda f, p: {"strategy": "focus", "corpus": written(p / "l.txt", b"good\ncaf\xe9\n")},
        ("not UTF-8", "line 2"),
    ),
    "target without unk": (
        lambda f, p: {"target_tokenizer": tokenizer_lacking(p, "unk")},
        ("cannot encode text", "unk_token"),
    ),
    "target without pad": (
        lambda f, p: {"target_tokenizer": tokenizer_lacking(p, "pad")},
        ("no padding token", "pad_token"),
    ),
    "ids beyond the table": (
        lambda f, p: {"source": ids_beyond_the_table(f, p)},
        ("ids beyond", "432 ids for 430 rows"),
    ),
    "NaN in the table": (lambda f, p: {"source": with_table_value(f, p, float("nan"))}, ("NaN", "1 rows: 7")),
    "Inf in the table": (lambda f, p: {"source": with_table_value(f, p, float("inf"))}, ("infinite", "1 rows: 7")),
    "quantized": (lambda f, p: {"source": quantized(f, p)}, ("quantized",)),
    "missing shard": (lambda f, p: {"source": missing_shard(f, p)}, ("shards are missing", "model-00001")),
    "pickled": (lambda f, p: {"source": pickled(f, p)}, ("pickled", "safetensors")),
    "truncated shard": (lambda f, p: {"source": truncated_shard(f, p)}, ("cut short", "model-00001", "again")),
    "damaged weights": (lambda f, p: {"source": damaged(f, p)}, ("checkpoint file is damaged", "model.safetensors")),
    "target equals source": (lambda f, p: {"target_tokenizer": f.source}, ("equals the source", "keep")),
    "missing need, before weights load": (
        lambda f, p: {"source": damaged(f, p), "strategy": "focus"},
        ("focus needs target_vectors", "--corpus"),
    ),
    "unknown strategy": (
        lambda f, p: {"strategy": "focsu"},
        ("focsu", "Did you mean 'focus'? (files of", "LEXIGRAFT_PLUGINS)"),
    ),
    "unknown field": (lambda f, p: {"strategy": "focus", "set": "temprature=2"}, ("Did you mean 'temperature'?",)),
    "field of the wrong type": (lambda f, p: {"strategy": "focus", "set": "temperature=hot"}, ("temperature", "hot")),
    "set without a value": (lambda f, p: {"set": "temperature"}, ("key=value",)),
    "unknown rule": (lambda f, p: {"rule": "nfcc"}, ("match rule", "Did you mean 'nfc'?")),
    "not a size": (lambda f, p: {"memory_budget": "lots"}, ("memory_budget", "lots", "2GB")),
    "a size of nothing": (lambda f, p: {"memory_budget": "0"}, ("memory_budget", "greater than 0")),
    "not a device": (lambda f, p: {"device": "toaster"}, ("toaster", "cpu")),
    "a device that is not here": (lambda f, p: {"device": "xpu:7"}, ("cannot compute", "xpu:7")),
    "unknown fallback": (lambda f, p: {"fallback": "zero"}, ("fallback", "normal")),
    "donor that nobody uses": (lambda f, p: {"donor": f.source}, ("donor",)),
    "missing vectors": (
        lambda f, p: {"strategy": "focus", "target_vectors": p / "no.vec"},
        ("no.vec",),
    ),
    "broken vectors": (
        lambda f, p: {"strategy": "focus", "target_vectors": written(p / "b.npz", b"nothing")},
        ("b.npz",),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_graft_with_a_mistake_is_refused_and_leaves_nothing(mistake: str, files: Files, tmp_path: Path) -> None:
    change, expected = MISTAKES[mistake]
    home = tmp_path / "home"
    home.mkdir()
    arguments = files.graft(home / "out", **change(files, tmp_path))
    refused(lexigraft(*arguments), *expected)
    refused_json(lexigraft(*arguments, "--json"), *expected)
    assert list(home.iterdir()) == []


def test_a_dictionary_without_a_usable_pair_is_refused(files: Files, tmp_path: Path) -> None:
    words = written(tmp_path / "words.tsv", b"no tab here\n\t\n")
    change = {"strategy": "tema", "poor_model": poor_model(files, tmp_path), "corpus": files.text, "dictionary": words}
    refused(lexigraft(*files.graft(tmp_path / "out", **change)), "no usable pair", "words.tsv", "2 lines were rejected")
    assert not (tmp_path / "out").exists()


def poor_model(files: Files, folder: Path) -> Path:
    out = folder / "poor"
    options = ["--corpus", files.text, "--tokenizer", files.target, "--steps", 1, "--batch-tokens", 64]
    made = lexigraft("pretrain", *options, "--out", out, "--set", "sequence_length=32", "--json")
    assert made.code == 0, made
    return out


def test_sharded_and_padded_checkpoints_are_handled(files: Files, tmp_path: Path) -> None:
    done = lexigraft(*files.graft(tmp_path / "a", source=sharded(files, tmp_path)), "--json")
    assert done.code == 0, done
    padded = write_files(tmp_path / "padded", "roberta-padded")
    done = lexigraft(*padded.graft(tmp_path / "b"))
    assert done.code == 0, done
    assert "padding" in done.out


def test_an_existing_folder_is_kept_or_with_force_replaced_whole(files: Files, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("precious")
    refused(lexigraft(*files.graft(out)), "output folder exists", "--force")
    refused_json(lexigraft(*files.graft(out), "--json"), "output folder exists")
    assert (out / "mine.txt").read_text() == "precious"
    refused(lexigraft(*files.graft(out), "--force"), "something else than a model", "only folders that Lexigraft wrote")
    assert (out / "mine.txt").read_text() == "precious"
    (out / "mine.txt").rename(tmp_path / "mine.txt")
    assert lexigraft(*files.graft(out)).code == 0
    (out / "older.txt").write_text("of an older graft")
    refused(lexigraft(*files.graft(out, strategy="focus"), "--force"), "focus needs")
    assert (out / "older.txt").exists()
    done = lexigraft(*files.graft(out), "--force", "--json")
    assert done.code == 0, done
    assert not (out / "older.txt").exists()
    assert (out / "model.safetensors").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.txt", "out"]


@pytest.mark.parametrize("command", ["adapt", "pretrain", "tokenizer", "evaluate"])
def test_every_command_that_reads_text_refuses_bad_text(command: str, files: Files, tmp_path: Path) -> None:
    texts = {
        "text not found": tmp_path / "no.txt",
        "corpus is empty": written(tmp_path / "empty.txt", b""),
        "line 1": written(tmp_path / "latin.txt", b"caf\xe9\n"),
    }
    out = tmp_path / "out"
    for expected, text in texts.items():
        arguments = {
            "adapt": ["adapt", files.source, "--corpus", text, "--out", out],
            "pretrain": ["pretrain", "--corpus", text, "--tokenizer", files.target, "--out", out],
            "tokenizer": ["tokenizer", "train", "--corpus", text, "--out", out],
            "evaluate": ["evaluate", files.source, "--heldout", text],
        }[command]
        refused(lexigraft(*arguments), expected)
        refused_json(lexigraft(*arguments, "--json"), expected)
    assert not out.exists()


USAGE = {
    "no such command": ["grafft"],
    "no such option": ["graft", "--sorce", "x"],
    "missing option": ["graft", "--source", "x"],
    "not a number": ["graft", "--seed", "many"],
    "missing argument": ["explain"],
}


@pytest.mark.parametrize("mistake", USAGE)
def test_usage_errors_are_json_when_json_is_asked_for(mistake: str) -> None:
    refused_json(lexigraft(*USAGE[mistake], "--json"))
    plain = lexigraft(*USAGE[mistake])
    assert plain.code == 2
    assert "Traceback" not in plain.err


WRONG_SETTINGS = {
    "adapt": (["--set", "lora_rnk=4"], "Did you mean 'lora_rank'?"),
    "adapt-value": (["--set", "steps=-1"], "steps"),
    "adapt-objective": (["--objective", "maskd"], "Did you mean 'masked'?"),
    "adapt-body": (["--body", "everything"], "body"),
    "adapt-export": (["--export", "none"], "merged"),
    "pretrain": (["--preset", "roberta-tini"], "roberta-tiny"),
    "tokenizer": (["--type", "unigramm"], "unigram"),
    "evaluate": (["--evaluator", "bits_per_bite"], "Did you mean 'bits_per_byte'?"),
}


@pytest.mark.parametrize("case", WRONG_SETTINGS)
def test_wrong_settings_are_refused_with_what_was_meant(case: str, files: Files, tmp_path: Path) -> None:
    extra, expected = WRONG_SETTINGS[case]
    out = tmp_path / "out"
    base = {
        "adapt": ["adapt", files.source, "--corpus", files.text, "--out", out],
        "pretrain": ["pretrain", "--corpus", files.text, "--tokenizer", files.target, "--out", out],
        "tokenizer": ["tokenizer", "train", "--corpus", files.text, "--out", out],
        "evaluate": ["evaluate", files.source, "--heldout", files.text],
    }[case.split("-")[0]]
    refused_json(lexigraft(*base, *extra, "--json"), expected)
    assert not out.exists()


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
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(values | changed))
    return path


RECIPES: dict[str, tuple[dict[str, object], tuple[str, ...]]] = {
    "unknown key": ({"strategys": ["mean"]}, ("strategys", "Did you mean 'strategies'?")),
    "unknown nested key": ({"adaptation": {"stps": 3}}, ("adaptation.stps", "Did you mean 'steps'?")),
    "several at once": ({"sead": 1, "adaptation": {"steps": -1}}, ("sead", "adaptation.steps")),
    "unknown strategy": ({"strategies": ["meen"]}, ("meen", "Did you mean 'mean'?")),
    "missing need": ({"strategies": ["tema"]}, ("tema needs", "poor_model")),
    "no strategy": ({"strategies": []}, ("strategies",)),
    "not a size": ({"graft": {"memory_budget": "2XB"}}, ("graft.memory_budget", "2XB", "2GB")),
    "missing text": ({"corpus": {"train": "./no.txt"}}, ("no.txt",)),
    "missing source": ({"source": "./nowhere"}, ("nowhere",)),
    "bad dictionary": ({"dictionary": {"path": "a", "pivot": ["b", "c"]}}, ("either path or pivot",)),
}


@pytest.mark.parametrize("mistake", RECIPES)
def test_a_recipe_with_a_mistake_is_refused_before_anything_runs(mistake: str, files: Files, tmp_path: Path) -> None:
    changed, expected = RECIPES[mistake]
    path, out = recipe(files, tmp_path, **changed), tmp_path / "out"
    refused(lexigraft("compare", path, "--out", out), *expected)
    refused_json(lexigraft("compare", path, "--out", out, "--json"), *expected)
    assert not out.exists()
    examined = lexigraft("doctor", path, "--json")
    assert examined.code == 2
    said = " ".join(f["what"] for f in examined.json["findings"] if f["mark"] == "bad")
    assert all(part in said for part in expected), said


def test_a_recipe_that_is_not_there_or_not_yaml_is_refused(tmp_path: Path) -> None:
    refused(lexigraft("compare", tmp_path / "no.yaml", "--out", tmp_path / "out"), "recipe not found")
    broken = written(tmp_path / "broken.yaml", b"a: [1\n")
    refused(lexigraft("compare", broken, "--out", tmp_path / "out"), "not readable YAML", "broken.yaml")
    refused(lexigraft("report", tmp_path), str(tmp_path))
    refused(lexigraft("explain", tmp_path, "--token", "a"), "no provenance")


def test_a_dead_tracking_server_stops_before_the_start_when_required(files: Files, tmp_path: Path) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    path = recipe(files, tmp_path, tracking={"uri": uri, "required": True})
    refused(lexigraft("compare", path, "--out", tmp_path / "out"), "MLflow store does not answer", uri)
    assert not (tmp_path / "out" / "cells").exists()
    assert lexigraft("doctor", path).code == 2


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_a_dead_tracking_server_does_not_lose_results(files: Files, tmp_path: Path) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    path = recipe(files, tmp_path, tracking={"uri": uri}, strategies=["mean"])
    done = lexigraft("compare", path, "--out", tmp_path / "out")
    assert done.code == 0, done
    assert "does not answer" in done.out
    assert (tmp_path / "out" / "mlflow.db").exists()
    assert (tmp_path / "out" / "results.csv").read_text().count("\n") > 1
    assert lexigraft("doctor", path).code == 0


def real_command(*arguments: object, limit: int | None = None) -> Outcome:
    """The installed command in a process of its own, with files of at most ``limit`` bytes."""

    def restrict() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    program = Path(sys.executable).with_name("lexigraft")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        preexec_fn=restrict,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def test_the_installed_command_refuses_without_a_traceback(files: Files, tmp_path: Path) -> None:
    arguments = files.graft(tmp_path / "out", strategy="focus", corpus=written(tmp_path / "e.txt", b""))
    refused(real_command(*arguments), "corpus is empty")
    refused_json(lexigraft(*arguments, "--json"), "corpus is empty")


def test_a_file_that_cannot_be_written_leaves_nothing_behind(files: Files, tmp_path: Path) -> None:
    out = tmp_path / "home" / "out"
    refused(real_command(*files.graft(out), limit=30_000), "cannot write", "nothing was left behind")
    assert list(out.parent.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(files: Files, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=120k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk can only be mounted by root")
    try:
        refused(lexigraft(*files.graft(disk / "out")), "cannot write")
        refused_json(lexigraft(*files.graft(disk / "out"), "--json"), "cannot write")
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)

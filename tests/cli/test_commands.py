"""Every command on a tiny model: what it prints, what it writes, and that plain transformers loads it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from fixtures.commands import Files, lexigraft
from fixtures.comparisons import write_made
from lexigraft.testing.tiny_models import fixture

pytestmark = pytest.mark.slow
COMMANDS = (
    ["tokenizer"], ["tokenizer", "train"], ["tokenizer", "report"], ["tokenizer", "extend"], ["tokenizer", "prune"],
    ["demo"], ["graft"], ["adapt"], ["pretrain"], ["evaluate"], ["compare"], ["report"], ["explain"],
    ["doctor"], ["strategies"], ["strategies", "list"], ["strategies", "show"], ["strategies", "check"],
    ["strategies", "new"], ["evaluators"], ["evaluators", "list"], ["evaluators", "show"], ["evaluators", "check"],
    ["evaluators", "new"], ["augmenters"], ["augmenters", "list"], ["augmenters", "show"], ["augmenters", "check"],
    ["augmenters", "new"], ["objectives"], ["objectives", "list"], ["objectives", "show"], ["objectives", "check"],
    ["objectives", "new"],
    ["align"],
    ["overlap"], ["donors"], ["analyze"], ["transfer"], ["mix-adapters"],
    ["corpus"], ["corpus", "wikipedia"], ["corpus", "link"], ["corpus", "show"],
)  # fmt: skip
SOURCE_SIZE, TARGET_SIZE = (len(tokenizer) for tokenizer in fixture("roberta-tied-bias")[1:])
GRAFT_KEYS = {
    "strategy", "body", "target_tokens", "matched", "new", "covered", "re_estimated", "fallback", "learned_tokens",
    "notes", "seconds", "peak_rss_bytes", "out",
}  # fmt: skip
STAGES = {"load", "align", "vectors", "plan", "rows", "surgery", "save"}
ADAPT_KEYS = ["model", "steps", "tokens_trained", "trainable_parameters", "seconds", "first_loss", "last_loss"]
STRATEGY_KEYS = {
    "name", "aliases", "summary", "needs", "enough", "usable", "scope", "body", "convex", "source", "file",
}  # fmt: skip


@pytest.fixture(scope="module")
def grafted(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("grafted") / "model"
    done = lexigraft(*files.graft(out, strategy="subword_mean"), "--json")
    assert done.code == 0, done
    return out


def test_graft_prints_exactly_the_promised_keys(files: Files, tmp_path: Path) -> None:
    done = lexigraft(*files.graft(tmp_path / "out", strategy="subword_mean,random", seed=3), "--json")
    assert done.code == 0, done
    assert done.err == ""
    assert set(done.json) == GRAFT_KEYS
    assert set(done.json["seconds"]) == STAGES
    assert done.json["strategy"] == "subword_mean+random"
    assert done.json["body"] == "source"
    matched = sum(done.json["matched"].values())
    assert done.json["target_tokens"] == TARGET_SIZE
    assert matched + done.json["new"] <= TARGET_SIZE
    assert done.json["covered"] == done.json["new"]
    assert done.json["fallback"] == 0
    facts = json.loads((tmp_path / "out" / "lexigraft.json").read_text())
    assert facts["counts"]["matched"] == done.json["matched"]
    assert facts["seed"] == 3
    assert {"versions", "seconds", "peak_rss_bytes", "fallback_share", "source", "target"} <= set(facts)


def test_plain_transformers_loads_a_graft(grafted: Path) -> None:
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    model, tokenizer = AutoModelForMaskedLM.from_pretrained(grafted), AutoTokenizer.from_pretrained(grafted)
    assert model.get_input_embeddings().weight.shape[0] == len(tokenizer) == TARGET_SIZE
    assert model.config.pad_token_id == tokenizer.pad_token_id
    with torch.no_grad():
        logits = model(**tokenizer(["Mayu wasikunap ladunta purin."], return_tensors="pt")).logits
    assert logits.isfinite().all()
    assert {p.name for p in grafted.iterdir()} >= {"README.md", "lexigraft.json", "provenance.parquet"}


def test_the_same_graft_twice_gives_the_same_weights(files: Files, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert lexigraft(*files.graft(tmp_path / name, strategy="random", seed=5)).code == 0
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()


def test_explain_names_the_source_tokens_behind_a_row(grafted: Path) -> None:
    done = lexigraft("explain", grafted, "--token", "▁wasi", "--json", "--top", 3)
    assert done.code == 0, done
    [row] = done.json
    assert list(row) == ["token", "target_id", "rule", "sources", "more"]
    assert all(list(source) == ["source_id", "token", "weight"] for source in row["sources"])
    assert row["rule"] == "subword_mean"
    assert sum(s["weight"] for s in row["sources"]) == pytest.approx(1, abs=1e-5) or row["more"]
    plain = lexigraft("explain", grafted, "--token", "wasi")
    assert "wasi  (id" in plain.out
    assert "made by: subword_mean" in plain.out
    assert len(lexigraft("explain", grafted, "--token", "wasi mayu house", "--json").json) >= 3
    assert lexigraft("explain", grafted, "--token", "🜚").code == 2


@pytest.mark.parametrize("export", ["merged", "adapter", "both"])
def test_adapt_then_evaluate(export: str, files: Files, grafted: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForMaskedLM

    out = tmp_path / "adapted"
    sizes = ["--steps", 3, "--batch-tokens", 64, "--sequence-length", 32, "--export", export]
    arguments = ["adapt", grafted, "--corpus", files.text, "--heldout", files.source_text, *sizes, "--out", out]
    done = lexigraft(*arguments, "--json")
    assert done.code == 0, done
    assert done.json["steps"] == 3
    *start, last = done.json
    figures = [key.removeprefix("before/") for key in start if key.startswith("before/")]
    assert "bits_per_byte/heldout" in figures
    assert start == ADAPT_KEYS + [f"{when}/{name}" for when in ("before", "after") for name in figures]
    assert last == "out"
    adapter = {"merged": [], "adapter": [out], "both": [out / "adapter"]}[export]
    assert all((folder / "adapter_config.json").exists() for folder in adapter)
    # transformers loads an adapter's base model by itself.
    assert AutoModelForMaskedLM.from_pretrained(out).num_parameters() > 0
    for folder in {out, *adapter}:
        measured = lexigraft("evaluate", folder, "--heldout", files.source_text, "--json")
        assert measured.code == 0, measured
        after = done.json["after/bits_per_byte/heldout"]
        assert measured.json["bits_per_byte/heldout"] == pytest.approx(after, rel=1e-4)
    assert "bits_per_byte" in lexigraft("evaluate", out, "--heldout", files.source_text).out


def test_an_adapter_whose_base_model_has_moved(files: Files, grafted: Path, tmp_path: Path) -> None:
    base, moved, adapter = tmp_path / "base", tmp_path / "moved", tmp_path / "adapter"
    shutil.copytree(grafted, base)
    sizes = ["--steps", 1, "--batch-tokens", 64, "--sequence-length", 32, "--export", "adapter"]
    assert lexigraft("adapt", base, "--corpus", files.text, *sizes, "--out", adapter).code == 0
    base.rename(moved)
    evaluate = ["evaluate", adapter, "--heldout", files.source_text]
    lost = lexigraft(*evaluate)
    assert lost.code == 2
    assert all(part in lost.err for part in ("base model is not there", str(base), "--base"))
    assert lexigraft(*evaluate, "--base", moved, "--json").json["bits_per_byte/heldout"] > 0
    no_adapter = lexigraft("evaluate", moved, "--heldout", files.source_text, "--base", moved)
    assert no_adapter.code == 2
    assert "this is none" in no_adapter.err
    again = lexigraft("adapt", adapter, "--corpus", files.text, "--out", tmp_path / "again")
    assert again.code == 2
    assert "holds an adapter, not a model" in again.err
    assert not (tmp_path / "again").exists()


def test_tokenizer_then_pretrain(files: Files, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokens = tmp_path / "tokens"
    options = ["--type", "byte_bpe", "--size", 400, "--out", tokens]
    made = lexigraft("tokenizer", "train", "--corpus", files.text, *options, "--json")
    assert made.code == 0, made
    assert made.json == {"type": "byte_bpe", "tokens": 400, "out": str(tokens)}
    assert len(AutoTokenizer.from_pretrained(tokens)) == 400
    out = tmp_path / "model"
    sizes = ["--steps", 2, "--batch-tokens", 64, "--set", "sequence_length=32", "--preset", "llama-tiny"]
    done = lexigraft("pretrain", "--corpus", files.text, "--tokenizer", tokens, *sizes, "--out", out, "--json")
    assert done.code == 0, done
    assert list(done.json) == ["preset", "parameters", "tokens", "steps", "tokens_trained", "seconds", "out"]
    assert AutoModelForCausalLM.from_pretrained(out).get_input_embeddings().weight.shape[0] == 400


def test_strategies_list_and_show() -> None:
    done = lexigraft("strategies", "list", "--json")
    assert done.code == 0, done
    assert all(set(record) == STRATEGY_KEYS for record in done.json)
    names = [record["name"] for record in done.json]
    wanted = {"random", "mean", "hf_mean_resizing", "subword_mean", "focus", "tema", "keep", "poor", "oracle"}
    assert wanted <= set(names)
    plain = lexigraft("strategies", "list").out
    assert all(name in plain for name in names)
    shown = lexigraft("strategies", "show", "focus", "--json")
    assert shown.code == 0, shown
    assert "temperature" in [field["name"] for field in shown.json["fields"]]
    assert "temperature" in lexigraft("strategies", "show", "focus").out
    assert "Did you mean 'focus'" in lexigraft("strategies", "show", "focuss").err


def test_compare_report_and_going_on(files: Files, tmp_path: Path) -> None:
    values = {
        "source": str(files.source),
        "target_tokenizer": str(files.target),
        "corpus": {"train": str(files.text), "heldout_lines": 4, "source_heldout": str(files.source_text)},
        "strategies": ["random", "mean"],
        "seeds": [0],
        "adaptation": {"steps": 2, "batch_tokens": 64, "sequence_length": 32, "probe_step": 1},
        "tracking": {"enabled": False},
    }
    path, out = tmp_path / "recipe.yaml", tmp_path / "out"
    path.write_text(yaml.safe_dump(values))
    done = lexigraft("compare", path, "--out", out, "--json")
    assert done.code == 0, done
    assert set(done.json) == {"out", "report", "results"}
    assert [(r["strategy"], r["seed"]) for r in done.json["results"]] == [("random", 0), ("mean", 0)]
    assert {"results.csv", "report.md", "report.html", "recipe.yaml"} <= {p.name for p in out.iterdir()}
    header, *rows = (out / "results.csv").read_text().splitlines()
    assert header == "strategy,seed,body,step,metric,value"
    before = {p: p.stat().st_mtime_ns for p in out.glob("cells/*/result.json")}
    again = lexigraft("compare", path, "--out", out)
    assert again.code == 0, again
    assert "report:" in again.out
    assert {p: p.stat().st_mtime_ns for p in out.glob("cells/*/result.json")} == before
    assert (out / "results.csv").read_text().splitlines() == [header, *rows]


def test_report_is_written_again_from_results(tmp_path: Path) -> None:
    write_made(tmp_path)
    done = lexigraft("report", tmp_path, "--json")
    assert done.code == 0, done
    assert set(done.json) == {"html", "markdown", "csv", "differences", "latex"}
    assert all(Path(p).stat().st_size > 500 for p in done.json.values())


def test_doctor_looks_at_the_machine_and_at_a_recipe(files: Files, tmp_path: Path) -> None:
    machine = lexigraft("doctor", "--json")
    assert machine.code == 0, machine
    said = "\n".join(f["what"] for f in machine.json["findings"])
    assert machine.json["healthy"] is True
    assert all(part in said for part in ("Python 3", "torch 2", "cores", "GB free", "focus", "bits_per_byte"))
    values = {
        "source": str(files.source),
        "target_tokenizer": str(files.target),
        "corpus": {"train": str(files.text)},
        "strategies": ["focus", {"chain": ["focus", "random"]}],
        "adaptation": {"steps": 10, "batch_tokens": 100, "sequence_length": 64},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(values))
    examined = lexigraft("doctor", path)
    assert examined.code == 0, examined
    for part in (
        "2 strategies × 3 seeds = 6 cells", "needs met: target_vectors", "26 lines", "bytes 73", "sqlite",
        f"RobertaForMaskedLM, {SOURCE_SIZE} × 32 F32", f"sentencepiece, {TARGET_SIZE} tokens",
        "10 steps × 100 tokens = 1,000 tokens", f"become {TARGET_SIZE} × 32",
    ):  # fmt: skip
        assert part in examined.out
    assert "✗" not in examined.out


def test_doctor_rehearses_a_recipe_and_tells_what_it_will_take(files: Files, tmp_path: Path) -> None:
    values = {
        "source": str(files.source),
        "target_tokenizer": {"type": "bpe", "size": 300},
        "corpus": {"train": str(files.text)},
        "strategies": ["focus", "random"],
        "poor_model": {"preset": "bert-tiny", "steps": 3, "batch_tokens": 64, "sequence_length": 16},
        "adaptation": {"steps": 10, "batch_tokens": 64, "sequence_length": 16, "probe_step": 5},
        "evaluation": {"tasks": {"bits_per_byte": {"files": {"text": str(files.source_text)}, "at": ["probe", "end"]}}},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(values))
    before = set(tmp_path.iterdir())
    done = lexigraft("doctor", path, "--rehearse", "--json")
    assert done.code == 0, done
    said = "\n".join(f["what"] for f in done.json["findings"])
    for part in (
        "3 measurements",
        "task bits_per_byte: bits_per_byte, 20 items, measured at the probe, end",
        ", task bits_per_byte 2 times ",
        "for 6 cells",
        "target tokenizer",
        "poor model",
        "target vectors",
        "4 × 16 tokens",
        "GB",
    ):
        assert part in said
    assert set(tmp_path.iterdir()) == before, "a rehearsal leaves nothing behind"


def test_doctor_looks_through_a_suite_and_counts_its_training(files: Files, tmp_path: Path) -> None:
    values = {
        "name": "one",
        "source": str(files.source),
        "target_tokenizer": str(files.target),
        "corpus": {"train": str(files.text)},
        "strategies": ["random", "keep"],
        "seeds": [0],
        "adaptation": {"steps": 1000, "batch_tokens": 128, "sequence_length": 64},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(values))
    longer = {"path": "recipe.yaml", "overrides": {"name": "two", "adaptation.steps": 2000}}
    suite = tmp_path / "suite.yaml"
    suite.write_text(yaml.safe_dump({"name": "both", "recipes": ["recipe.yaml", longer]}))
    done = lexigraft("doctor", suite, "--tflops", "1e-3")
    assert done.code == 0, done
    taken = [line for line in done.out.splitlines() if "GPU" in line and "TFLOP/s" in line]
    assert ["'one'" in taken[0], "'two'" in taken[1]] == [True, True]
    first, second = (float(line.split("source's body, ")[1].split(" s at 0.001 TFLOP/s")[0]) for line in taken)
    assert second == pytest.approx(2 * first, abs=0.2)
    assert "on a GPU: training of 2 of 2 recipes takes" in done.out
    nothing = lexigraft("doctor", "--tflops", "100")
    assert nothing.code == 2
    assert "Name a recipe" in nothing.err
    suite.write_text(yaml.safe_dump({"name": "both", "recipes": ["recipe.yaml", "other.yaml"]}))
    wrong = lexigraft("doctor", suite)
    assert wrong.code == 2
    assert "✗ recipe not found" in wrong.out


def test_a_recipe_with_mistakes_is_not_rehearsed(files: Files, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({"source": str(files.source), "target_tokenizer": str(files.target)}))
    done = lexigraft("doctor", path, "--rehearse")
    assert done.code == 2
    assert "rehearsed" not in done.out
    nothing = lexigraft("doctor", "--rehearse")
    assert nothing.code == 2
    assert "Name a recipe" in nothing.err


def test_doctor_collects_every_problem_without_loading_weights(files: Files, tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    values = {
        "source": str(files.source),
        "target_tokenizer": str(files.source),
        "corpus": {"train": "./no.txt", "heldout": "./latin.txt"},
        "strategies": ["tema", "meen"],
        "dictionary": {"path": "./latin.txt"},
        "adaptation": {"objective": "causel"},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(values))
    done = lexigraft("doctor", path, "--json")
    assert done.code == 2
    bad = " | ".join(f["what"] for f in done.json["findings"] if f["mark"] == "bad")
    for part in ("meen", "poor_model", "no.txt", "latin.txt, line 1", "equals the source", "Did you mean 'causal'"):
        assert part in bad


def test_a_broken_plugin_is_noted_and_breaks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cracked.py").write_text("import not_there_at_all\n")
    monkeypatch.setenv("LEXIGRAFT_PLUGINS", str(tmp_path))
    done = lexigraft("doctor", "--json")
    assert done.code == 0
    notes = [f["what"] for f in done.json["findings"] if f["mark"] == "note"]
    assert any("cracked" in n and "not_there_at_all" in n for n in notes)
    listed = lexigraft("strategies", "list")
    assert "BROKEN" in listed.out


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command: list[str]) -> None:
    done = lexigraft(*command, "--help")
    assert done.code == 0, done
    assert "--help" in done.out
    assert done.err == ""


def test_the_version_is_told() -> None:
    assert lexigraft("--version").out.strip().count(".") == 2


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"}


def processor_seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_comes_at_once() -> None:
    """Under 0.3 s of processor time: what a person waits on an idle machine, whatever else this one does."""
    program = Path(sys.executable).with_name("lexigraft")
    taken = []
    for _ in range(5):
        before = processor_seconds_of_children()
        subprocess.run([str(program), "--help"], check=True, capture_output=True, env=environment())
        taken.append(processor_seconds_of_children() - before)
    assert min(taken) < 0.3, taken


def test_importing_the_package_loads_nothing_heavy_and_every_name_resolves() -> None:
    check = (
        "import sys, lexigraft;"
        "heavy = {'torch', 'transformers', 'mlflow', 'peft', 'pandas'};"
        "early = heavy & set(sys.modules);"
        "assert not early, early;"
        "assert all(getattr(lexigraft, name).__doc__ for name in lexigraft.__all__);"
        "assert {'graft', 'adapt', 'evaluate', 'compare', 'strategies'} <= set(dir(lexigraft));"
        "assert len(lexigraft.list_strategies()) >= 9"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", check], check=True, env=environment())


def test_python_speaks_the_same_words(files: Files, tmp_path: Path) -> None:
    import lexigraft as library

    done = library.graft(str(files.source), str(files.target), "mean", out=tmp_path / "out")
    assert (done.strategy, done.out) == ("mean", tmp_path / "out")
    in_memory = library.graft_model(str(files.source), str(files.target), "mean")
    assert in_memory.facts["counts"] == done.facts["counts"]
    found = library.evaluate(str(tmp_path / "out"), [files.text])
    assert found.figures["bits_per_byte/heldout"] > 0
    with pytest.raises(library.LexigraftError, match="output folder exists"):
        library.graft(str(files.source), str(files.target), "mean", out=tmp_path / "out")
    with pytest.raises(AttributeError, match="grafft"):
        _ = library.grafft

"""Grafts written shard by shard: the files that the model in memory would make, whole or not there, taken up again."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from fixtures.moved_padding import with_pad_at
from lexigraft.api.graft import graft
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting import writer
from lexigraft.core.grafting.folder import write_model
from lexigraft.core.grafting.pipeline import PreparedGraft, in_memory, make_chain, prepare_graft
from lexigraft.core.grafting.writer import write_graft
from lexigraft.core.models import disk_model
from lexigraft.core.models.checkpoint import open_checkpoint
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.models.loading import load_model
from lexigraft.core.models.streaming import Piece
from lexigraft.core.models.tables import Role, tables_of
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils import files
from lexigraft.testing.tiny_models import FIXTURES, fixture

WHOLE, SMALL = "1GB", "20KB"
SETTINGS = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")


def saved(name: str, folder: Path, shard: str = SMALL) -> Path:
    model, tokenizer, _ = fixture(name)
    model.save_pretrained(folder, max_shard_size=shard)
    tokenizer.save_pretrained(folder)
    return folder


def prepared(source: Path, target: Vocabulary) -> PreparedGraft:
    return prepare_graft(str(source), target, make_chain([("subword_mean", {})]), {})


def target_of(name: str) -> Vocabulary:
    return Vocabulary.of(fixture(name)[2])


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for path in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(path).items()}


def rewrite(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change the tensors of a checkpoint of one file."""
    found = tensors(folder)
    change(found)
    save_file(found, folder / "model.safetensors", {"format": "pt"})


def content(folder: Path) -> dict[str, bytes]:
    found = open_checkpoint(folder).tensors.values()
    return {t.name: t.path.read_bytes()[t.start : t.start + t.length] for t in found}


def same_as_in_memory(made: PreparedGraft, out: Path) -> None:
    """The folder holds what saving the model in memory would write; what is no table is the source's, bit for bit."""
    grafted = in_memory(made)
    expected = out.with_name("expected")
    expected.mkdir()
    write_model(expected, grafted.model, grafted.vocabulary)
    ours, theirs = tensors(out), tensors(expected)
    assert set(ours) == set(theirs)
    for name, tensor in theirs.items():
        assert ours[name].dtype == tensor.dtype
        assert torch.equal(ours[name], tensor), name
    for name in SETTINGS:
        assert (out / name).exists() == (expected / name).exists()
        if (out / name).exists():
            assert (out / name).read_text() == (expected / name).read_text()
    before, after, changed = content(made.body.folder), content(out), writer.replacements(made)
    assert all(after[name] == before[name] for name in before if name not in changed)
    assert {p.name for p in out.glob("*.safetensors")} == {p.name for p in made.body.folder.glob("*.safetensors")}


# The contract's laws write every fixture as one file; here one tied and one untied model show that it is no other way.
STREAMED = [(s.name, SMALL) for s in FIXTURES] + [("roberta-tied-bias", WHOLE), ("llama-untied", WHOLE)]


@pytest.mark.parametrize(("name", "shard"), STREAMED)
def test_what_is_streamed_is_what_the_model_in_memory_would_be(name: str, shard: str, tmp_path: Path) -> None:
    made = prepared(saved(name, tmp_path / "source", shard), target_of(name))
    facts = write_graft(made, tmp_path / "out")
    same_as_in_memory(made, tmp_path / "out")
    files = len(list((tmp_path / "source").glob("*.safetensors")))
    assert (files > 1) == (shard == SMALL)
    assert facts["shards"] == {"written": files, "kept": 0}
    index = tmp_path / "out" / "model.safetensors.index.json"
    assert index.exists() == (shard == SMALL)
    if index.exists():
        metadata = json.loads(index.read_text())["metadata"]
        found = tensors(tmp_path / "out").values()
        assert metadata["total_size"] == sum(t.numel() * t.element_size() for t in found)
        assert metadata["total_parameters"] == sum(t.numel() for t in found)


@pytest.mark.parametrize("place", [0, 9])
def test_positions_move_with_the_padding_id(place: int, tmp_path: Path) -> None:
    made = prepared(saved("roberta-tied-bias", tmp_path / "source"), with_pad_at(place)[1])
    write_graft(made, tmp_path / "out")
    same_as_in_memory(made, tmp_path / "out")
    table = "roberta.embeddings.position_embeddings.weight"
    before, after = tensors(tmp_path / "source")[table], tensors(tmp_path / "out")[table]
    assert torch.equal(after[place:], before[1:])
    assert not after[:place].any()


def head_stored_too(found: dict[str, torch.Tensor]) -> None:
    found["lm_head.weight"] = found["model.embed_tokens.weight"].clone()


def head_stored_alone(found: dict[str, torch.Tensor]) -> None:
    found["lm_head.weight"] = found.pop("model.embed_tokens.weight")


@pytest.mark.parametrize("change", [head_stored_too, head_stored_alone])
def test_a_tied_table_is_replaced_under_all_its_names(
    change: Callable[[dict[str, torch.Tensor]], None], tmp_path: Path
) -> None:
    source = saved("llama-tied", tmp_path / "source", WHOLE)
    rewrite(source, change)
    made = prepared(source, target_of("llama-tied"))
    assert made.body.layout is not None
    assert made.body.layout.tied
    write_graft(made, tmp_path / "out")
    again = load_model(tmp_path / "out")
    assert tables_of(again).tied
    assert torch.equal(again.lm_head.weight, made.rows.tables[Role.INPUT])
    assert set(tensors(tmp_path / "out")) == set(tensors(source))


def test_a_head_with_values_of_its_own_is_untied_whatever_the_configuration_says(tmp_path: Path) -> None:
    source = saved("llama-tied", tmp_path / "source", WHOLE)
    rewrite(source, lambda found: found.update({"lm_head.weight": found["model.embed_tokens.weight"] + 1}))
    made = prepared(source, target_of("llama-tied"))
    write_graft(made, tmp_path / "out")
    again = load_model(tmp_path / "out")
    assert not tables_of(again).tied
    assert all(torch.equal(t, made.rows.tables[role]) for role, t in tables_of(again).by_role.items())


def test_names_without_the_prefix_of_the_body_are_kept(tmp_path: Path) -> None:
    source = saved("gpt2-tied", tmp_path / "source", WHOLE)
    bare = {name.removeprefix("transformer."): tensor for name, tensor in tensors(source).items()}
    save_file(bare, source / "model.safetensors", {"format": "pt"})
    made = prepared(source, target_of("gpt2-tied"))
    write_graft(made, tmp_path / "out")
    assert set(tensors(tmp_path / "out")) == set(bare)
    assert torch.equal(load_model(tmp_path / "out").get_input_embeddings().weight, made.rows.tables[Role.INPUT])


@pytest.mark.parametrize("kind", ["Bert", "Roberta", "XLMRoberta", "Ernie", "Albert"])
def test_a_head_bias_that_is_stored_twice_is_replaced_twice(kind: str, tmp_path: Path) -> None:
    name = "bert-tied-bias" if kind in ("Bert", "Ernie") else "roberta-tied-bias"
    _, tokenizer, _ = fixture(name)
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 48}
    others = {"Albert": {"embedding_size": 32}}.get(kind, {})
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=len(tokenizer),
        **shape,
        **others,
        tie_word_embeddings=False,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = getattr(transformers, f"{kind}ForMaskedLM")(config).eval()
    with torch.no_grad():
        model.get_output_embeddings().bias.uniform_()
    model.save_pretrained(tmp_path / "source")
    tokenizer.save_pretrained(tmp_path / "source")
    assert len([n for n, t in tensors(tmp_path / "source").items() if t.shape == (len(tokenizer),)]) == 2
    made = prepared(tmp_path / "source", target_of(name))
    write_graft(made, tmp_path / "out")
    same_as_in_memory(made, tmp_path / "out")
    again = load_model(tmp_path / "out")
    found = tables_of(again)
    assert not found.tied
    assert all(torch.equal(table, made.rows.tables[role]) for role, table in found.by_role.items())
    ids = torch.arange(10, 20)[None]
    with torch.no_grad():
        assert torch.equal(again(input_ids=ids).logits, in_memory(made).model.eval()(input_ids=ids).logits)


def test_tensors_keep_dtypes_of_their_own(tmp_path: Path) -> None:
    source = saved("llama-bf16", tmp_path / "source", WHOLE)
    rewrite(source, lambda found: found.update({"model.norm.weight": found["model.norm.weight"].double() / 3}))
    made = prepared(source, target_of("llama-bf16"))
    write_graft(made, tmp_path / "out")
    before, after = tensors(source), tensors(tmp_path / "out")
    assert torch.equal(after["model.norm.weight"], before["model.norm.weight"])
    assert after["model.norm.weight"].dtype == torch.float64
    assert after["lm_head.weight"].dtype == torch.bfloat16


def test_the_model_stays_on_disk_unless_a_strategy_works_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = saved("llama-untied", tmp_path / "source")
    fixture("llama-untied")[2].save_pretrained(tmp_path / "target")
    (tmp_path / "text").write_text("".join(f"Mayu {i} wasikunap ladunta purin.\n" for i in range(40)))

    def forbidden(path: str) -> Any:
        raise AssertionError(f"{path} was loaded")

    with monkeypatch.context() as patched:
        patched.setattr(disk_model, "load_model", forbidden)
        graft(str(source), str(tmp_path / "target"), "subword_mean", out=tmp_path / "out")
    assert not caplog.messages
    with caplog.at_level(logging.WARNING):
        graft(
            str(source),
            str(tmp_path / "target"),
            "learned_mixture",
            out=tmp_path / "learned",
            corpus=[tmp_path / "text"],
            fields={"max_steps": 1},
        )
    assert caplog.messages == ["learned_mixture works on the model itself: all of it is loaded into memory"]


def test_tables_under_unknown_names_are_grafted_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source, target = saved("mt5-untied", tmp_path / "source"), target_of("mt5-untied")
    write_graft(prepared(source, target), tmp_path / "streamed")
    monkeypatch.setattr(DiskModel, "layout", None)
    write_graft(prepared(source, target), tmp_path / "out")
    assert "stores its tables under unknown names" in caplog.text
    ours, theirs = tensors(tmp_path / "out"), tensors(tmp_path / "streamed")
    assert set(ours) == set(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


KILLED = """
import os, signal, sys
from pathlib import Path
from lexigraft.core.grafting import writer
from lexigraft.core.models.streaming import InlineBytes
from lexigraft.core.grafting.pipeline import make_chain, prepare_graft
from lexigraft.core.tokenization.files.loading import load_vocabulary

source, target, out, shards = sys.argv[1:]
write, done = writer.write_pieces, []

class Fatal:
    length = 0
    def blocks(self):
        os.kill(os.getpid(), signal.SIGKILL)
        yield b""

def deadly(path, pieces, cached):
    done.append(path)
    write(path, pieces if len(done) <= int(shards) else [InlineBytes(b"half of it"), Fatal()], cached=cached)

writer.write_pieces = deadly
made = prepare_graft(source, load_vocabulary(target), make_chain([("subword_mean", {})]), {})
writer.write_graft(made, Path(out))
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source, a target tokenizer, and what is left of a graft that was killed in its third shard."""
    home = tmp_path_factory.mktemp("killed")
    saved("llama-untied", home / "source", "8KB")
    fixture("llama-untied")[2].save_pretrained(home / "target")
    arguments = [str(home / "source"), str(home / "target"), str(home / "out"), "2"]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    return home


def left_by(killed: Path, home: Path) -> tuple[Path, Path]:
    """A copy of what a killed graft left: the source's folder and the draft."""
    import shutil

    shutil.copytree(killed, home, dirs_exist_ok=True)
    return home / "source", home / ".out.unfinished"


def test_a_killed_graft_goes_on_where_it_was(killed: Path, tmp_path: Path) -> None:
    source, draft = left_by(killed, tmp_path)
    *finished, half = sorted(draft.glob("*.safetensors"))
    assert len(finished) == 2
    assert half.read_bytes() == b"half of it"
    assert not (tmp_path / "out").exists()
    files = {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in finished}
    made = prepared(source, target_of("llama-untied"))
    shards = len(made.body.checkpoint.shards)
    assert shards > 3
    facts = write_graft(made, tmp_path / "out")
    assert facts["shards"] == {"written": shards - 2, "kept": 2}
    again = {name: (tmp_path / "out" / name).stat() for name in files}
    assert {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in again.items()} == files
    same_as_in_memory(made, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["expected", "out", "source", "target"]


def test_a_finished_shard_that_is_not_as_it_should_be_is_written_again(killed: Path, tmp_path: Path) -> None:
    source, draft = left_by(killed, tmp_path)
    shard = sorted(draft.glob("*.safetensors"))[1]
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    (draft / "stranger").write_text("?")
    (draft / "folder").mkdir()
    made = prepared(source, target_of("llama-untied"))
    facts = write_graft(made, tmp_path / "out")
    assert facts["shards"]["kept"] == 1
    same_as_in_memory(made, tmp_path / "out")
    assert not (tmp_path / "out" / "stranger").exists()
    assert not (tmp_path / "out" / "folder").exists()


def test_another_graft_keeps_only_what_is_right_for_it(killed: Path, tmp_path: Path) -> None:
    source, _ = left_by(killed, tmp_path)
    chain = make_chain([("mean", {})])
    made = prepare_graft(str(source), target_of("llama-untied"), chain, {})
    write_graft(made, tmp_path / "out")
    same_as_in_memory(made, tmp_path / "out")


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    write, done = writer.write_pieces, []

    def fails(path: Path, pieces: list[Piece], *, cached: bool) -> None:
        done.append(path)
        if len(done) == 3:
            raise error
        write(path, pieces, cached=cached)

    monkeypatch.setattr(writer, "write_pieces", fails)


def test_a_graft_that_fails_leaves_nothing_and_one_that_is_interrupted_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = prepared(saved("llama-untied", tmp_path / "source"), target_of("llama-untied"))
    with monkeypatch.context() as patched:
        failing(patched, OSError(28, "No space left on device"))
        with pytest.raises(LexigraftError, match="nothing was left behind"):
            write_graft(made, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["source"]
    with monkeypatch.context() as patched:
        failing(patched, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            write_graft(made, tmp_path / "out")
    assert write_graft(made, tmp_path / "out")["shards"]["kept"] == 2


def test_two_grafts_do_not_write_one_folder(tmp_path: Path) -> None:
    made = prepared(saved("llama-untied", tmp_path / "source"), target_of("llama-untied"))
    with files.whole_folder(tmp_path / "out", force=False, resume=["a"]) as draft:
        (draft / "a").write_text("mine")
        with pytest.raises(LexigraftError, match="another run is writing"):
            write_graft(made, tmp_path / "out")
    assert os.listdir(tmp_path / "out") == ["a"]


@pytest.mark.slow
def test_a_hub_name_is_grafted_from_its_snapshot(tmp_path: Path) -> None:
    cache = tmp_path / "hub" / "models--tiny--llama"
    saved("llama-untied", cache / "snapshots" / "abc")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("abc")
    fixture("llama-untied")[2].save_pretrained(tmp_path / "target")
    run = "import sys; from lexigraft.cli.main import main; main()"
    options = ["--source", "tiny/llama", "--target-tokenizer", str(tmp_path / "target"), "--strategy", "mean"]
    done = subprocess.run(
        [sys.executable, "-c", run, "graft", *options, "--out", str(tmp_path / "out")],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path / "hub")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    before, after = content(cache / "snapshots" / "abc"), content(tmp_path / "out")
    assert {name for name in before if before[name] != after[name]} == {"lm_head.weight", "model.embed_tokens.weight"}

"""Grafted folders: whole or not there at all, loadable, verified, with provenance."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from lexigraft.core.config.recipe import GraftSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting import writer
from lexigraft.core.grafting.folder import FACTS, new_rows, read_provenance, verify_model, write_model
from lexigraft.core.grafting.pipeline import PreparedGraft, in_memory, make_chain, prepare_graft
from lexigraft.core.grafting.writer import write_graft
from lexigraft.core.models.checkpoint import open_checkpoint
from lexigraft.core.models.loading import load_model
from lexigraft.core.models.streaming import Piece
from lexigraft.core.models.tables import Role, tables_of
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.files import whole_folder
from lexigraft.testing.tiny_models import FIXTURES, fixture


def saved_source(name: str, folder: Path) -> Path:
    model, tokenizer, _ = fixture(name)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def prepared(name: str, folder: Path, *chain: str) -> PreparedGraft:
    source = saved_source(name, folder)
    target = Vocabulary.of(fixture(name)[2])
    return prepare_graft(str(source), target, make_chain([(c, {}) for c in chain or ("subword_mean",)]), {})


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with whole_folder(out, force=False) as draft:
        (draft / "a").write_text("1")
        assert not out.exists()
        assert draft.parent == out.parent
    assert [p.name for p in out.parent.iterdir()] == ["out"]
    assert (out / "a").read_text() == "1"


def fill_and_fail(out: Path, error: BaseException) -> None:
    with whole_folder(out, force=False) as draft:
        (draft / "a").write_text("1")
        raise error


@pytest.mark.parametrize("error", [ValueError("ours"), KeyboardInterrupt()])
def test_a_folder_that_fails_is_not_there(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        fill_and_fail(tmp_path / "out", error)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("I/O error (os error 27)")])
def test_a_fault_of_the_disk_is_told_as_one(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(LexigraftError, match="nothing was left behind"):
        fill_and_fail(tmp_path / "out", error)
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_kept_unless_forced_and_then_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "lexigraft.json").write_text("old")
    with pytest.raises(LexigraftError, match="--force"), whole_folder(out, force=False):
        pass
    with pytest.raises(ValueError, match="ours"), whole_folder(out, force=True):
        raise ValueError("ours")
    assert [p.name for p in out.iterdir()] == ["lexigraft.json"]
    with whole_folder(out, force=True) as draft:
        (draft / "new").write_text("new")
    assert [p.name for p in out.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_is_filled_and_a_file_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with whole_folder(tmp_path / "empty", force=False) as draft:
        (draft / "a").write_text("1")
    assert (tmp_path / "empty" / "a").exists()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(LexigraftError, match="is a file"), whole_folder(tmp_path / "file", force=True):
        pass
    assert (tmp_path / "file").read_text() == "mine"
    with pytest.raises(LexigraftError, match="under a file"), whole_folder(tmp_path / "file" / "x", force=False):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("name", [s.name for s in FIXTURES])
def test_a_saved_graft_is_what_was_in_memory(name: str, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    made = prepared(name, tmp_path / "source")
    write_graft(made, tmp_path / "out")
    again = load_model(tmp_path / "out")
    theirs, ours = tables_of(again), tables_of(in_memory(made).model)
    assert theirs.tied is ours.tied
    assert all(torch.equal(theirs.by_role[role], table) for role, table in ours.by_role.items())
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert Vocabulary.of(tokenizer).tokens == made.vocabulary.tokens
    assert Vocabulary.of(tokenizer).specials == made.vocabulary.specials
    encoded = tokenizer("Mayu wasikunap ladunta purin.")
    assert set(encoded) <= {"input_ids", "attention_mask"}


def test_provenance_names_the_rows_behind_each_token(tmp_path: Path) -> None:
    made = prepared("roberta-tied-bias", tmp_path / "source")
    facts = write_graft(made, tmp_path / "out")
    columns = read_provenance(tmp_path / "out")
    assert columns["target_id"] == list(range(made.vocabulary.size))
    assert columns["token"] == list(made.vocabulary.tokens)
    copied = [i for i, rule in enumerate(columns["rule"]) if rule in facts["counts"]["matched"]]
    assert copied == made.alignment.matched.tolist()
    assert all(columns["weights"][i] == [1.0] for i in copied)
    assert [columns["source_ids"][i][0] for i in copied] == made.alignment.source_ids[copied].tolist()
    assert new_rows(tmp_path / "out") == made.alignment.new.tolist()
    source = load_model(tmp_path / "source").get_input_embeddings().weight.detach()
    table = made.rows.tables[Role.INPUT]
    for i in made.alignment.new.tolist()[:40]:
        weights = torch.tensor(columns["weights"][i])
        if len(weights):
            torch.testing.assert_close(weights @ source[columns["source_ids"][i]], table[i])


def test_the_facts_tell_what_was_done(tmp_path: Path) -> None:
    made = prepared("llama-tied", tmp_path / "source", "mean", "random")
    write_graft(made, tmp_path / "out")
    facts = json.loads((tmp_path / "out" / FACTS).read_text())
    assert facts["strategy"] == "mean+random"
    assert facts["fallback_share"] == facts["counts"]["fallback"] / facts["counts"]["target_tokens"]
    assert set(facts["seconds"]) == {"load", "align", "vectors", "plan", "rows", "surgery", "save"}
    assert facts["source"]["tokenizer_hash"] != facts["target"]["tokenizer_hash"] == made.vocabulary.hash
    assert facts["versions"]["torch"] == torch.__version__.split("+")[0] or facts["versions"]["torch"]
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers")
    assert "mean+random" in card


@pytest.mark.parametrize("streamed", [True, False])
def test_sampling_settings_without_do_sample_are_kept(tmp_path: Path, streamed: bool) -> None:
    source = saved_source("llama-tied", tmp_path / "source")
    settings = json.loads((source / "generation_config.json").read_text()) | {"temperature": 0.6, "top_p": 0.9}
    (source / "generation_config.json").write_text(json.dumps(settings))
    target = Vocabulary.of(fixture("llama-tied")[2])
    made = prepare_graft(str(source), target, make_chain([("mean", {})]), {})
    if streamed:
        write_graft(made, tmp_path / "out")
    else:
        (tmp_path / "out").mkdir()
        write_model(tmp_path / "out", in_memory(made).model, target)
    written = json.loads((tmp_path / "out" / "generation_config.json").read_text())
    assert (written["temperature"], written["top_p"]) == (0.6, 0.9)
    assert "do_sample" not in written
    assert written["eos_token_id"] == target.specials["eos"]


def test_a_model_that_does_not_survive_saving_is_found_out(tmp_path: Path) -> None:
    model, tokenizer, _ = fixture("roberta-tied-bias")
    write_model(tmp_path, model, Vocabulary.of(tokenizer))
    verify_model(tmp_path, model)
    with torch.no_grad():
        model.get_input_embeddings().weight[5] += 1
    with pytest.raises(RuntimeError, match="other logits"):
        verify_model(tmp_path, model)


def test_a_graft_that_fails_its_verification_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = prepared("roberta-tied-bias", tmp_path / "source")
    write = writer.write_pieces

    def careless(path: Path, pieces: list[Piece], *, cached: bool) -> None:
        write(path, pieces, cached=cached)
        table = open_checkpoint(path.parent).tensors["roberta.embeddings.word_embeddings.weight"]
        damaged = bytearray(path.read_bytes())
        damaged[table.start + 7] ^= 1
        path.write_bytes(damaged)

    monkeypatch.setattr(writer, "write_pieces", careless)
    with pytest.raises(RuntimeError, match="other values"):
        write_graft(made, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["source"]


def test_no_verification_when_not_asked_for(tmp_path: Path) -> None:
    made = prepared("roberta-tied-bias", tmp_path / "source")
    assert GraftSettings().verify
    assert Path(write_graft(made, tmp_path / "out", verified=False)["out"]).is_dir()

"""FOCUS's three modes, from the command line and from a recipe: token-level, word-level and extended vocabularies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import fasttext
import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from fixtures.commands import lexigraft
from fixtures.recipes import tiny_recipe
from lexigraft.api.compare.inputs import load_texts, strategy_inputs
from lexigraft.api.inputs import StrategyInputs
from lexigraft.core.config.recipe import VectorSettings
from lexigraft.core.config.recipe_files import read_recipe
from lexigraft.core.data.corpus import load_corpus
from lexigraft.core.grafting.folder import read_provenance
from lexigraft.core.grafting.needs import Need
from lexigraft.core.models.loading import load_model
from lexigraft.core.models.tables import Role, tables_of
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.matching.alignment import align
from lexigraft.testing.sample_text import SOURCE_TEXT, TARGET_TEXT
from lexigraft.testing.tiny_models import fixture
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

pytestmark = pytest.mark.slow
FOCUS_ROWS, COPIES = "focus", "bytes"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEXIGRAFT_CACHE", str(tmp_path / "cache"))


class Files(NamedTuple):
    """A model with a Unigram tokenizer, the language's own tokenizer, the model's extended by it, text and vectors."""

    source: Path
    language: Path
    extended: Path
    text: Path
    words: Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("modes")
    made = Files(*(folder / name for name in ("source", "language", "extended", "text.txt", "words.bin")))
    model, source, _ = fixture("roberta-padded")
    model.save_pretrained(made.source)
    source.save_pretrained(made.source)
    language = id_zero_is_text(tiny_tokenizer("unigram", "target"))
    language.save_pretrained(made.language)
    extended(source, language).save_pretrained(made.extended)
    lines = TARGET_TEXT.splitlines()
    made.text.write_text("\n".join(f"{line} {n}" for n in range(12) for line in lines), encoding="utf-8")
    (folder / "spaced.txt").write_text("\n".join(" ".join(line.split()) for line in lines * 12) + "\n")
    trained = fasttext.train_unsupervised(
        str(folder / "spaced.txt"), model="cbow", dim=12, minCount=1, minn=2, maxn=4, bucket=2000, thread=1, verbose=0
    )
    trained.save_model(str(made.words))
    return made


def id_zero_is_text(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """The same pieces in another order: "▁wa", which the model's tokenizer knows too, gets id 0."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    pieces = state["model"]["vocab"]
    first = next(p for p in pieces if p[0] == "▁wa")
    pieces.remove(first)
    pieces.insert(0, first)
    ids = {piece: n for n, (piece, _) in enumerate(pieces)}
    state["model"]["unk_id"] = ids["<unk>"]
    for added in state["added_tokens"]:
        added["id"] = ids[added["content"]]
    for token in state["post_processor"]["special_tokens"].values():
        token["ids"] = [ids[token["id"]]]
    return rebuilt(state, tokenizer)


def extended(source: PreTrainedTokenizerFast, language: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """The model's pieces, ids kept, with the language's further pieces after them."""
    state = json.loads(source.backend_tokenizer.to_str())
    pieces = state["model"]["vocab"]
    known = {piece for piece, _ in pieces}
    theirs = json.loads(language.backend_tokenizer.to_str())["model"]["vocab"]
    pieces += [[piece, score] for piece, score in theirs if piece not in known]
    return rebuilt(state, source)


def rebuilt(state: dict[str, Any], like: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer

    roles = {k: v for k, v in like.special_tokens_map.items() if isinstance(v, str)}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(state)), **roles, clean_up_tokenization_spaces=False
    )


def grafted(files: Files, out: Path, target: Path, *more: object) -> dict[str, list[Any]]:
    """Run the command and read where the rows came from."""
    arguments = ["--source", files.source, "--target-tokenizer", target, "--strategy", "focus", "--out", out]
    done = lexigraft("graft", *arguments, *more, "--json")
    assert done.code == 0, done.err
    assert done.json["covered"] > 0
    assert done.json["covered"] + done.json["fallback"] == done.json["new"]
    assert all(np.isfinite(t.detach().float().numpy()).all() for t in tables_of(load_model(out)).by_role.values())
    return read_provenance(out)


def anchors_of(columns: dict[str, list[Any]]) -> set[int]:
    """Source ids that some mixture of FOCUS leans on."""
    rows = zip(columns["rule"], columns["source_ids"], strict=True)
    return {i for rule, ids in rows if rule == FOCUS_ROWS for i in ids}


def test_token_level_from_the_command_line(files: Files, tmp_path: Path) -> None:
    columns = grafted(files, tmp_path / "out", files.language, "--corpus", files.text, "--vectors-preset", "focus")
    # Tokens seen fewer than 10 times have no vector with FOCUS's own settings.
    assert "fallback" in columns["rule"]


def test_word_level_from_the_command_line(files: Files, tmp_path: Path) -> None:
    columns = grafted(
        files, tmp_path / "out", files.language, "--target-vectors", files.words, "--vectors-level", "word"
    )
    target, source = load_vocabulary(str(files.language)), load_vocabulary(str(files.source))
    raw = fasttext.load_model(str(files.words))
    at = columns["rule"].index(FOCUS_ROWS)
    text = target.surfaces.texts[at].decode().strip()
    # The heaviest anchor is the matched token whose text lies nearest in the word space.
    heaviest = columns["source_ids"][at][int(np.argmax(columns["weights"][at]))]

    def unit(word: str) -> np.ndarray:
        vector = raw.get_word_vector(word)
        return vector / max(float(np.linalg.norm(vector)), 1e-12)

    cosine = {i: float(unit(text) @ unit(source.surfaces.texts[i].decode().strip())) for i in anchors_of(columns)}
    assert cosine[heaviest] == pytest.approx(max(cosine.values()), abs=1e-5)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--all-but-the-top", 300, "all_but_the_top removes every direction: 300 of 300 dimensions"),
        ("--vectors-epochs", 0, "vectors is not valid: epochs: "),
    ],
)
def test_vector_settings_that_cannot_be(files: Files, tmp_path: Path, option: str, value: int, message: str) -> None:
    arguments = ["--source", files.source, "--target-tokenizer", files.language, "--strategy", "focus"]
    done = lexigraft("graft", *arguments, "--corpus", files.text, option, value, "--out", tmp_path / "out")
    assert done.code == 2
    assert message in done.err
    assert not (tmp_path / "out").exists()


def test_extend_mode_from_the_command_line(files: Files, tmp_path: Path) -> None:
    columns = grafted(
        files, tmp_path / "out", files.extended,
        "--corpus", files.text, "--extend-tokenizer", files.language, "--vectors-preset", "lexigraft",
    )  # fmt: skip
    source, language = load_vocabulary(str(files.source)), load_vocabulary(str(files.language))
    old, new = (tables_of(load_model(m)).by_role[Role.INPUT] for m in (files.source, tmp_path / "out"))
    assert torch.equal(new[: source.size], old[: source.size])
    assert set(columns["rule"][source.size :]) <= {FOCUS_ROWS, "fallback"}
    anchors = anchors_of(columns)
    assert anchors
    assert all(language.id_of(source.tokens[i]) is not None for i in anchors)
    # The model's tokenizer knows many tokens that the language's does not, and none of them is an anchor.
    assert sum(language.id_of(token) is None for token in source.tokens) > 100


def test_id_zero_of_the_extending_tokenizer_counts(files: Files, tmp_path: Path) -> None:
    """In deepfocus 1.0.1 it does not: whether a token exists is decided by the truth of its id, and 0 is false."""
    extended, language = (load_vocabulary(str(p)) for p in (files.extended, files.language))
    given = StrategyInputs(
        corpus=lambda: load_corpus([files.text]),
        vectors=VectorSettings(dim=8, extend_tokenizer=str(files.language)),
    )
    vectors = given.loaders(extended, tmp_path)[Need.TARGET_VECTORS]()
    assert language.tokens[0] == "▁wa"
    zero = extended.id_of("▁wa")
    assert align(load_vocabulary(str(files.source)), extended).source_ids[zero] >= 0
    assert vectors.present[zero]
    # Every other token has the vector of its own string too, and tokens of the model alone have none.
    for i, token in enumerate(extended.tokens):
        if language.id_of(token) is None:
            assert not vectors.present[i]


@pytest.mark.parametrize("mode", ["token", "word", "extend"])
def test_modes_from_a_recipe(files: Files, tmp_path: Path, mode: str) -> None:
    vectors: dict[str, Any] = {"dim": 8, "min_count": 1}
    if mode == "word":
        vectors = {"file": str(files.words), "level": "word"}
    elif mode == "extend":
        vectors["extend_tokenizer"] = str(files.language)
    path = tiny_recipe(
        tmp_path,
        source=str(files.source),
        target_tokenizer=str(files.extended if mode == "extend" else files.language),
        corpus={"train": str(files.text), "heldout_lines": 4},
        target_vectors=vectors,
        strategies=["focus"],
        reference="focus",
        seeds=[0],
        poor_model=None,
        gold_links=None,
        dictionary=None,
        adaptation={"steps": 0},
        tracking={"enabled": False},
    )
    done = lexigraft("compare", path, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    [cell] = (tmp_path / "out" / "cells").iterdir()
    assert FOCUS_ROWS in read_provenance(cell)["rule"]
    recipe = read_recipe(path)
    content = strategy_inputs(recipe, None, load_texts(recipe)).contents(frozenset({Need.TARGET_VECTORS}))
    assert content[Need.TARGET_VECTORS]["level"] == ("word" if mode == "word" else "token")


def test_a_recipe_names_word_vectors_of_one_language(tmp_path: Path) -> None:
    (tmp_path / "many.vec").write_text("2 2\nhouse 1 0\nswh:nyumba 0 1\n")
    words = {"source": "many.vec#eng", "target": "many.vec#swh", "shared": True}
    path = tiny_recipe(tmp_path, word_vectors=words, strategies=["ofa"], reference=None)
    assert read_recipe(path).word_vectors.source == str(tmp_path / "many.vec#eng")


def test_strategies_from_word_vectors_run_from_the_command_line(files: Files, tmp_path: Path) -> None:
    (tmp_path / "english.txt").write_text(SOURCE_TEXT * 5, encoding="utf-8")
    (tmp_path / "pairs.tsv").write_text("children\twawakuna\npeople\trunakuna\nwater\tMayu\n")
    arguments = ["--source", files.source, "--target-tokenizer", files.language, "--dictionary", tmp_path / "pairs.tsv"]
    trained = ["--corpus", files.text, "--source-corpus", tmp_path / "english.txt"]
    for name, more in (
        ("wechsel", trained),
        ("ofa", [*trained, "--set", "align=dictionary", "--set", "rank=8"]),
        ("ramen", [*trained, "--set", "align=dictionary"]),
        (
            "wechsel",
            ["--source-vectors", files.words, "--word-vectors", files.words, "--shared-space", "--set", "align=none"],
        ),
    ):
        done = lexigraft("graft", *arguments, "--strategy", name, "--out", tmp_path / "out", *more, "--force", "--json")
        assert done.code == 0, done.err
        assert done.json["covered"] > 50
        assert name in read_provenance(tmp_path / "out")["rule"]

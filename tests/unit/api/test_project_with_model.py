"""Projection with a translation model: the words that markers can enclose, whose turn it is, every score by hand."""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from fixtures.commands import Outcome, lexigraft, write_files
from lexigraft.adapters.vectors.word_training import words_of
from lexigraft.api.corpus.marker_search import Hypothesis
from lexigraft.api.corpus.project_with_model import chosen_labels
from lexigraft.api.corpus.target_words import target_words
from lexigraft.api.corpus.translation_model import load_translation_model
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_models import fixture

MARKERS = ("<extra_id_0>", "<extra_id_1>")
WORDS = ["the", "river", "is", "in", "the", "town"]
LABELS = ["O", "B-LOC", "O", "O", "B-LOC", "I-LOC"]
TAGGED = "".join(f"{word}\t{label}\n" for word, label in zip(WORDS, LABELS, strict=True))
TARGET = "people gather in the market."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A translation model with random weights, for at most 24 tokens."""
    home = write_files(tmp_path_factory.mktemp("models"), "t5-tied").source
    config = json.loads((home / "config.json").read_text())
    (home / "config.json").write_text(json.dumps(config | {"n_positions": 24}))
    return home


def project(home: Path, model: Path, *options: object, target: str | None = TARGET + "\n") -> Outcome:
    (home / "s.tsv").write_text(TAGGED)
    given: list[object] = ["--source", home / "s.tsv", "--out", home / "o.tsv", "--model", model, "--markers", *MARKERS]
    if target is not None:
        (home / "t.txt").write_text(target)
        given += ["--target", home / "t.txt"]
    return lexigraft("corpus", "project", *given, *options, "--json")


def test_markers_stand_between_words_and_never_inside_a_token() -> None:
    vocabulary = Vocabulary.of(fixture("t5-tied")[1])
    [found, empty] = target_words(vocabulary, ["the river, Qx  town", ""])
    # ▁the ▁river , ▁ Q <unk> ▁ ▁town: marks of word starts belong to the word that they stand before.
    assert found.words == ("the", "river", ",", "Qx", "town")
    assert len(found.tokens) == 8
    assert found.borders == {0: 0, 1: 1, 2: 2, 3: 3, 6: 4, 8: 5}
    assert (empty.words, empty.tokens, empty.borders) == ((), [], {0: 0})
    whole = Tokenizer(models.WordLevel({"the": 0, "town.": 1}, unk_token="the"))
    whole.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    spaced = Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=whole))
    [found] = target_words(spaced, ["the town."])
    assert (found.words, found.borders) == (("the", "town", "."), {0: 0, 1: 1, 2: 3})


def test_the_more_likely_translation_has_the_words_and_the_other_takes_what_is_free() -> None:
    counts: Counter[str] = Counter()
    first = [Hypothesis(-3.0, 0, 2), Hypothesis(-4.0, 1, 2), Hypothesis(-5.0, 3, 4)]
    second = [Hypothesis(-2.0, 1, 3)]
    third = [Hypothesis(-2.5, 2, 4), Hypothesis(-9.0, 0, 3)]
    assert chosen_labels(["PER", "LOC", "ORG"], [first, second, third], 4, counts) == ["O", "B-LOC", "I-LOC", "B-PER"]
    assert counts == {"entities": 3, "projected": 2, "overlapping": 1}
    assert chosen_labels(["PER", "PER"], [[], [Hypothesis(-1.0, 0, 1)]], 1, counts) == ["B-PER"]


def test_entities_go_where_the_model_finds_their_markers_most_likely(tmp_path: Path, folder: Path) -> None:
    """Every place of both entities, scored by the model's own loss on the whole marked translation."""
    model, tokenizer, _ = fixture("t5-tied")
    opening, closing = MARKERS
    # ▁people ▁gather ▁in ▁the ▁market . may be cut inside words, so the tokens of each word are listed.
    words = ["people", "gather", "in", "the", "market"]
    pieces = [tokenizer(word, add_special_tokens=False).input_ids for word in words]
    pieces.append(tokenizer(TARGET, add_special_tokens=False).input_ids[sum(map(len, pieces)) :])
    best: dict[str, tuple[float, int, int]] = {}
    for name, source in (
        ("river", f"the {opening} river {closing} is in the town"),
        ("town", f"the river is in {opening} the town {closing}"),
    ):
        read = torch.tensor([tokenizer(source).input_ids])
        for a, b in combinations(range(7), 2):
            marked = [*pieces[:a], [ID[opening]], *pieces[a:b], [ID[closing]], *pieces[b:], [1]]
            labels = torch.tensor([[i for own in marked for i in own]])
            with torch.no_grad():
                loss = float(model(input_ids=read, labels=labels).loss) * labels.shape[1]
            best[name] = max(best.get(name, (-1e9, 0, 0)), (-loss, a, b))
    wanted = ["O"] * 6
    for _, a, b in sorted(best.values()):  # what the more likely one wants stands at last
        wanted[a:b] = ["B-LOC"] + ["I-LOC"] * (b - a - 1)
    done = project(tmp_path, folder, "--candidates", 1)
    assert done.code == 0, done
    written = [line.split("\t") for line in (tmp_path / "o.tsv").read_text().splitlines()]
    assert written == [list(pair) for pair in zip([*words, "."], wanted, strict=True)]
    counted = done.json
    assert (counted["entities"], counted["projected"] + counted["overlapping"], counted["hypotheses"]) == (2, 2, 42)
    assert 0 < counted["sequences_scored"] <= 2 * (1 + 6 + 21)


def test_without_a_translation_the_model_writes_its_own(tmp_path: Path, folder: Path) -> None:
    done = project(tmp_path, folder, "--prefix", "to ", target=None)
    assert (done.code, done.json["sentences"], done.json["entities"]) == (0, 1, 2), done
    model, tokenizer, _ = fixture("t5-tied")
    read = tokenizer("to " + " ".join(WORDS), return_tensors="pt").input_ids
    text = tokenizer.decode(model.generate(read, max_new_tokens=23)[0], skip_special_tokens=True)
    assert [line.split("\t")[0] for line in (tmp_path / "o.tsv").read_text().splitlines()] == [*words_of(text)]


def test_languages_stand_before_both_texts(folder: Path) -> None:
    translator = load_translation_model(str(folder), MARKERS, ("▁the", "▁river"))
    plain = load_translation_model(str(folder), MARKERS)
    the, river = (translator.vocabulary.id_of(token) for token in ("▁the", "▁river"))
    assert translator.reading(["is"])[0].tolist() == [the, *plain.reading(["is"])[0].tolist()]
    assert (translator.written_first, plain.written_first) == ((river,), ())
    [line] = translator.translations(["is in"], beams=1)
    assert line.startswith("river")


def test_what_cannot_be_placed_is_counted(tmp_path: Path, folder: Path) -> None:
    empty = project(tmp_path, folder, target="\n")
    assert (empty.code, "no sentence is left" in empty.out) == (2, True)
    long = project(tmp_path, folder, target="river " * 30)
    assert (long.code, long.json["too_long"], long.json["projected"]) == (0, 2, 0)
    assert set((tmp_path / "o.tsv").read_text().split()) == {"river", "O"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--markers", "<extra_id_0>", "§"], "the tokenizer cannot spell this marker: §"),
        (["--markers", "the", "the"], "both markers are the same: the"),
        (["--languages", "eng_Latn", "quy_Latn"], "the tokenizer has no token for this language: eng_Latn"),
        (["--max-gap", 2], "these options belong to the other way of projection: --max-gap"),
    ],
)
def test_bad_input_is_one_error(tmp_path: Path, folder: Path, options: list[object], said: str) -> None:
    done = project(tmp_path, folder, *options)
    assert (done.code, done.json["error"] in said) == (2, True)
    assert not (tmp_path / "o.tsv").exists()


def test_only_encoder_decoders_translate(tmp_path: Path) -> None:
    causal = write_files(tmp_path, "llama-tied").source
    done = project(tmp_path, causal)
    assert (done.code, "not projected with a model of this kind" in done.out) == (2, True)
    fewer = project(tmp_path, causal, target="a\nb\n")
    assert (fewer.code, "differ in number" in fewer.out) == (2, True)
    without = lexigraft(
        "corpus", "project", "--source", tmp_path / "s.tsv", "--out", tmp_path / "o.tsv", "--prefix", "a"
    )
    assert (without.code, "--prefix" in without.err) == (2, True)


ID = {marker: fixture("t5-tied")[1].convert_tokens_to_ids(marker) for marker in MARKERS}

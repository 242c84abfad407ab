"""Tokenizers from whatever file a user has; SentencePiece models give SentencePiece's own ids."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.surface import Family
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.sample_text import SAMPLE
from lexigraft.testing.tiny_tokenizers import Family as TinyFamily
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

LINES = [
    *SAMPLE["source"].splitlines(),
    *SAMPLE["target"].splitlines(),
    "two  spaces",
    " ends with a space ",
    "naïve ﬁ",
]


def train(folder: Path, **options: object) -> Path:
    import sentencepiece

    text = folder / "text.txt"
    text.write_text("\n".join([SAMPLE["source"], SAMPLE["target"]] * 3), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "made"),
        pad_id=3,
        minloglevel=2,
        num_threads=1,
        hard_vocab_limit=False,
        **options,
    )
    return folder / "made.model"


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@pytest.mark.parametrize("byte_fallback", [False, True])
def test_a_sentencepiece_model_gives_sentencepieces_own_ids(tmp_path: Path, kind: str, byte_fallback: bool) -> None:
    import sentencepiece

    path = train(tmp_path, model_type=kind, vocab_size=700, byte_fallback=byte_fallback, character_coverage=0.98)
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    ours = load_vocabulary(path)
    assert ours.family is Family.SENTENCEPIECE
    assert list(ours.tokens) == [theirs.id_to_piece(i) for i in range(theirs.get_piece_size())]
    assert ours.byte_complete is byte_fallback
    assert ours.specials == {"bos": 1, "eos": 2, "unk": 0, "pad": 3}
    assert ours.encode(LINES) == [theirs.encode(line) for line in LINES]


OPTIONS: dict[str, dict[str, object]] = {
    "no dummy prefix": {"add_dummy_prefix": False, "normalization_rule_name": "identity"},
    "all white space": {"remove_extra_whitespaces": False, "normalization_rule_name": "identity"},
    "runs of spaces": {"remove_extra_whitespaces": False, "allow_whitespace_only_pieces": True},
    "no dummy prefix, all white space": {
        "add_dummy_prefix": False,
        "remove_extra_whitespaces": False,
        "normalization_rule_name": "identity",
    },
    "tabs and newlines": {"normalization_rule_name": "identity"},
    "pieces across words": {"split_by_whitespace": False},
    "symbols": {"user_defined_symbols": ["[REF]", "<sep>", "\t", "\n"], "normalization_rule_name": "identity"},
    "symbols of spaces": {
        "user_defined_symbols": ["[REF]", "▁▁", "▁▁▁▁", "\n", "\n\n"],
        "remove_extra_whitespaces": False,
        "normalization_rule_name": "identity",
        "add_dummy_prefix": False,
    },
    "control symbols": {"control_symbols": ["<c>"]},
    "case folding": {"normalization_rule_name": "nmt_nfkc_cf"},
}
EDGES = [
    "  two  spaces at both ends  ",
    "\ta tab",
    "a newline\n",
    "",
    " ",
    "   ",
    "\n",
    "if x:\n    y = 1\n\n      z\n",
    "maki[REF]lumi",
    "[REF] a [REF][REF]<sep>b",
    "a    b   c",
    "a\u00a0b",
]


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@pytest.mark.parametrize("byte_fallback", [False, True])
@pytest.mark.parametrize("options", OPTIONS)
def test_options_of_sentencepiece_are_heeded(tmp_path: Path, kind: str, byte_fallback: bool, options: str) -> None:
    import sentencepiece

    path = train(tmp_path, model_type=kind, vocab_size=650, byte_fallback=byte_fallback, **OPTIONS[options])
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    ours = load_vocabulary(path)
    assert ours.family is Family.SENTENCEPIECE
    for line in [*LINES, *EDGES]:
        ids = theirs.encode(line)
        assert (line, ours.encode([line])[0]) == (line, ids)
        if theirs.unk_id() not in ids:
            assert ours.tokenizer.decode(ids) == theirs.decode(ids)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"treat_whitespace_as_suffix": True}, "treat_whitespace_as_suffix=true"),
        ({"model_type": "word", "vocab_size": 80}, "model_type=word"),
    ],
)
def test_options_that_cannot_be_rebuilt_are_named(tmp_path: Path, options: dict[str, object], named: str) -> None:
    path = train(tmp_path, **{"model_type": "unigram", "vocab_size": 650, **options})
    with pytest.raises(LexigraftError, match=named):
        load_vocabulary(path)


def test_a_model_that_gets_other_ids_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lexigraft.core.tokenization.files import sentencepiece_models

    path = train(tmp_path, model_type="unigram", vocab_size=650, remove_extra_whitespaces=False)
    monkeypatch.setattr(sentencepiece_models, "_metaspace_prepends", lambda _: True)
    with pytest.raises(LexigraftError, match="remove_extra_whitespaces=false"):
        load_vocabulary(path)


@pytest.mark.parametrize("name", ["spiece.model", "sentencepiece.bpe.model", "spm.model", "tokenizer.model"])
def test_a_folder_with_nothing_but_a_sentencepiece_model(tmp_path: Path, name: str) -> None:
    path = train(tmp_path, model_type="unigram", vocab_size=650)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / name).write_bytes(path.read_bytes())
    (tmp_path / "source.spm").write_bytes(path.read_bytes())
    expected = load_vocabulary(path)
    assert load_vocabulary(tmp_path / "folder").hash == expected.hash
    assert load_vocabulary(tmp_path / "source.spm").hash == expected.hash


def test_a_folder_with_one_spm_file_of_any_name(tmp_path: Path) -> None:
    made = train(tmp_path, model_type="unigram", vocab_size=650)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "any name.spm").write_bytes(made.read_bytes())
    assert load_vocabulary(folder).hash == load_vocabulary(made).hash


@pytest.mark.parametrize("beside", [(), ("vocab.json",), ("vocab.json", "tokenizer_config.json")])
def test_a_folder_with_two_models_names_both(tmp_path: Path, beside: tuple[str, ...]) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    made = train(tmp_path, model_type="unigram", vocab_size=650)
    for name in ("source.spm", "target.spm"):
        (folder / name).write_bytes(made.read_bytes())
    for name in beside:
        (folder / name).write_text(json.dumps({"tokenizer_class": "MarianTokenizer"}))
    with pytest.raises(LexigraftError, match=r"source\.spm, target\.spm"):
        load_vocabulary(folder)


@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.txt", "a.spm", "tekken.json"])
@pytest.mark.parametrize("kind", ["pipe", "device", "circle", "folder"])
def test_what_is_no_file_is_no_tokenizer(tmp_path: Path, name: str, kind: str) -> None:
    make = {
        "pipe": os.mkfifo,
        "device": lambda path: path.symlink_to("/dev/zero"),
        "circle": lambda path: path.symlink_to(path),
        "folder": Path.mkdir,
    }
    make[kind](tmp_path / name)
    with pytest.raises(LexigraftError, match="holds no tokenizer"):
        load_vocabulary(tmp_path)


def same(ours: Vocabulary, original: object) -> None:
    theirs = Vocabulary.of(original)
    assert ours.tokens == theirs.tokens
    assert ours.family is theirs.family
    assert ours.encode(LINES) == theirs.encode(LINES)


def test_a_folder_of_save_pretrained(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer("bpe_byte_fallback")
    tokenizer.save_pretrained(tmp_path)
    loaded = load_vocabulary(tmp_path)
    same(loaded, tokenizer)
    assert loaded.hash == Vocabulary.of(tokenizer).hash


@pytest.mark.slow
def test_a_hub_name_gives_the_ids_of_its_folder(tmp_path: Path) -> None:
    cache = tmp_path / "hub" / "models--tiny--qwen"
    folder = cache / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("abc")
    tiny_tokenizer("unigram").save_pretrained(folder)
    # AutoTokenizer rebuilds every tokenizer beside this model by rules of its own.
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen2"}))
    loading = "from lexigraft.core.tokenization.files.loading import load_vocabulary"
    run = f"{loading}; print(load_vocabulary('tiny/qwen').hash)"
    done = subprocess.run(
        [sys.executable, "-c", run],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path / "hub")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [load_vocabulary(folder).hash]


@pytest.mark.parametrize("whole_folder", [False, True])
def test_a_bare_tokenizer_json_finds_its_roles_by_their_usual_names(tmp_path: Path, whole_folder: bool) -> None:
    tokenizer = tiny_tokenizer("wordpiece")
    tokenizer.backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    loaded = load_vocabulary(tmp_path if whole_folder else tmp_path / "tokenizer.json")
    same(loaded, tokenizer)
    assert loaded.specials == Vocabulary.of(tokenizer).specials


@pytest.mark.parametrize("whole_folder", [False, True])
def test_vocab_txt_is_wordpiece(tmp_path: Path, whole_folder: bool) -> None:
    tokenizer = tiny_tokenizer("wordpiece")
    (tmp_path / "vocab.txt").write_text("\n".join(Vocabulary.of(tokenizer).tokens) + "\n", encoding="utf-8")
    loaded = load_vocabulary(tmp_path if whole_folder else tmp_path / "vocab.txt")
    assert loaded.family is Family.WORDPIECE
    assert loaded.tokens == Vocabulary.of(tokenizer).tokens
    assert set(loaded.specials) == {"unk", "sep", "cls", "mask", "pad"}
    assert loaded.encode(["The house."]) == Vocabulary.of(tokenizer).encode(["The house."])


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt", ""])
def test_vocab_json_and_merges_are_byte_level_bpe(tmp_path: Path, name: str) -> None:
    tokenizer = tiny_tokenizer("byte_bpe")
    tokenizer.backend_tokenizer.model.save(str(tmp_path))
    loaded = load_vocabulary(tmp_path / name)
    assert loaded.family is Family.BYTE_LEVEL
    assert loaded.tokens == Vocabulary.of(tokenizer).tokens
    assert loaded.encode(LINES) == Vocabulary.of(tokenizer).encode(LINES)


BERT_ROLES = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}


def roles(vocabulary: Vocabulary) -> dict[str, str]:
    return {role: vocabulary.tokens[i] for role, i in vocabulary.specials.items()}


def bare_folder(folder: Path, family: TinyFamily, config: object, model: object) -> Path:
    """A tokenizer.json with configurations of our own."""
    tiny_tokenizer(family).backend_tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(model), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("config", "model"),
    [
        ({"do_lower_case": True}, {"model_type": "bert"}),
        ({"tokenizer_class": "BertTokenizer"}, {}),
        ({"tokenizer_class": "BertTokenizer", "pad_token": "[PAD]"}, {}),
        ({}, {}),
        ({"tokenizer_class": "NoSuchTokenizer"}, {"model_type": "no such model"}),
    ],
)
def test_roles_that_a_folder_does_not_name_are_those_of_its_class_or_the_usual_ones(
    tmp_path: Path, config: object, model: object
) -> None:
    from transformers import AutoTokenizer

    folder = bare_folder(tmp_path, "wordpiece", config, model)
    loaded = load_vocabulary(folder)
    assert roles(loaded) == BERT_ROLES
    assert loaded.encode(LINES) == Vocabulary.of(tiny_tokenizer("wordpiece")).encode(LINES)
    if model == {"model_type": "bert"}:
        theirs = AutoTokenizer.from_pretrained(str(folder))
        assert roles(loaded) == {role: getattr(theirs, f"{role}_token") for role in BERT_ROLES}


def test_a_role_that_a_folder_leaves_empty_stays_empty(tmp_path: Path) -> None:
    folder = bare_folder(tmp_path, "wordpiece", {"tokenizer_class": "BertTokenizer", "pad_token": None}, {})
    assert roles(load_vocabulary(folder)) == {r: s for r, s in BERT_ROLES.items() if r != "pad"}
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"}
    assert roles(load_vocabulary(bare_folder(tmp_path, "wordpiece", config, {}))) == {"unk": "[UNK]"}


def test_the_default_of_a_class_that_is_ordinary_text_here_fills_no_role(tmp_path: Path) -> None:
    folder = bare_folder(tmp_path, "wordpiece", {"tokenizer_class": "LlamaTokenizer"}, {"model_type": "llama"})
    assert roles(load_vocabulary(folder)) == BERT_ROLES


@pytest.mark.parametrize("whole_folder", [False, True])
def test_a_bare_file_takes_no_ordinary_token_for_a_special_one(tmp_path: Path, whole_folder: bool) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    strings = ["<", "/", "s", ">", "u", "n", "k", "<s", "<s>", "</", "</s", "</s>", "<bos>", "<eos>", "a"]
    merges = [("<", "s"), ("<s", ">"), ("<", "/"), ("</", "s"), ("</s", ">")]
    backend = Tokenizer(models.BPE({t: i for i, t in enumerate(strings)}, merges))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    backend.model.save(str(tmp_path))
    from_merges = load_vocabulary(tmp_path / "merges.txt")
    backend.add_special_tokens(["<bos>", "<eos>"])
    backend.save(str(tmp_path / "tokenizer.json"))
    from_json = load_vocabulary(tmp_path if whole_folder else tmp_path / "tokenizer.json")
    for loaded in (from_json, from_merges):
        assert roles(loaded) == {"bos": "<bos>", "eos": "<eos>"}
        assert loaded.encode(["a<s>a</s>", "<bos>a"]) == [e.ids for e in backend.encode_batch(["a<s>a</s>", "<bos>a"])]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>", "<PAD>"), ("bos", "eos", "pad")),
        (("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"), ("bos", "eos")),
        (("<|endoftext|>",), ("bos", "eos")),
        (("<EOT>", "<META>"), ("bos", "eos")),
    ],
)
def test_usual_names_of_several_publishers(tmp_path: Path, names: tuple[str, ...], expected: tuple[str, ...]) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    backend = Tokenizer(models.BPE({"a": 0}, []))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    backend.add_special_tokens(list(names))
    backend.save(str(tmp_path / "tokenizer.json"))
    assert tuple(roles(load_vocabulary(tmp_path / "tokenizer.json"))) == expected


def test_the_unknown_token_of_a_model_is_known_without_a_special_flag(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    backend = Tokenizer(models.Unigram([("▁a", -1.0), ("<s>", -2.0), ("<unk>", -3.0)], unk_id=2))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.save(str(tmp_path / "tokenizer.json"))
    assert roles(load_vocabulary(tmp_path)) == {"unk": "<unk>"}


def test_a_sentencepiece_model_names_its_own_roles(tmp_path: Path) -> None:
    import sentencepiece

    options = {"bos_piece": "<begin>", "eos_piece": "<end>", "unk_piece": "<what>", "pad_piece": "<fill>"}
    control = ["<s>", "<mask>"]
    path = train(tmp_path, model_type="unigram", vocab_size=700, control_symbols=control, **options)
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    loaded = load_vocabulary(path)
    expected = {"bos": "<begin>", "eos": "<end>", "unk": "<what>", "pad": "<fill>", "mask": "<mask>"}
    assert roles(loaded) == expected
    own = {"bos": theirs.bos_id(), "eos": theirs.eos_id(), "unk": theirs.unk_id(), "pad": theirs.pad_id()}
    assert own.items() <= loaded.specials.items()


def test_a_sentencepiece_model_without_a_role_gets_none(tmp_path: Path) -> None:
    path = train(tmp_path, model_type="bpe", vocab_size=700, bos_id=-1, user_defined_symbols=["<s>", "[CLS]"])
    assert roles(load_vocabulary(path)) == {"eos": "</s>", "unk": "<unk>", "pad": "<pad>"}


def test_random_cuts_of_a_tokenizer_in_memory_are_set_off_and_told(caplog: pytest.LogCaptureFixture) -> None:
    tokenizer = tiny_tokenizer("unigram")
    tokenizer.backend_tokenizer.model.alpha, tokenizer.backend_tokenizer.model.nbest_size = 0.1, 8
    assert Vocabulary.of(tokenizer).encode(LINES) == Vocabulary.of(tiny_tokenizer("unigram")).encode(LINES)
    assert "cuts text at random (alpha 0.1)" in caplog.text


@pytest.mark.parametrize("family", ["byte_bpe", "bpe_byte_fallback"])
@pytest.mark.parametrize("whole_folder", [False, True])
def test_random_cuts_that_a_file_asks_for_are_set_off_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, family: TinyFamily, whole_folder: bool
) -> None:
    expected = Vocabulary.of(tiny_tokenizer(family)).encode(LINES)
    assert not caplog.records
    tokenizer = tiny_tokenizer(family)
    tokenizer.backend_tokenizer.model.dropout = 0.5
    tokenizer.save_pretrained(tmp_path)
    loaded = load_vocabulary(tmp_path if whole_folder else tmp_path / "tokenizer.json")
    assert "cuts text at random (dropout 0.5)" in caplog.text
    assert [loaded.encode(LINES) for _ in range(3)] == [expected] * 3
    assert [loaded.pieces(b"houses", True) for _ in range(20)] == [loaded.pieces(b"houses", True)] * 20
    loaded.tokenizer.save_pretrained(tmp_path / "written")
    caplog.clear()
    assert load_vocabulary(tmp_path / "written").encode(LINES) == expected
    assert not caplog.records


def test_what_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    cases = {
        "no.json": b"{}",
        "vocab.json": json.dumps({"a": 0}).encode(),
        "x.model": b"\x00\x01",
        "notes.md": b"hello",
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(LexigraftError) as caught:
            load_vocabulary(tmp_path / name)
        assert name in str(caught.value) or "merges.txt" in str(caught.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(LexigraftError, match="holds no tokenizer"):
        load_vocabulary(tmp_path / "empty")
    with pytest.raises(LexigraftError, match="not found"):
        load_vocabulary(tmp_path / "nowhere")

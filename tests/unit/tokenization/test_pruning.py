"""Pruning: a case by hand for each kind, the laws on every family, and a model whose tables shrink with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from fixtures.word_end_tokenizers import word_end_vocabulary
from lexigraft.api.graft import graft_model
from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.editing.pruning import prune
from lexigraft.core.tokenization.files.saving import save_tokenizer
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.sample_text import SAMPLE
from lexigraft.testing.tiny_models import fixture
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

FAMILIES = (
    "byte_bpe", "bpe_byte_fallback", "unigram", "unigram_byte_fallback", "wordpiece", "unigram_sentinels",
    "clip", "gpt",
)  # fmt: skip
LINES = SAMPLE["source"].splitlines()


def source_of(family: str) -> Vocabulary:
    if family in ("clip", "gpt"):
        return word_end_vocabulary(family)
    return Vocabulary.of(tiny_tokenizer(family))


def strings(vocabulary: Vocabulary, lines: list[str]) -> list[list[str]]:
    return [[vocabulary.tokens[i] for i in ids] for ids in vocabulary.encode(lines)]


@pytest.fixture(scope="module", params=FAMILIES)
def source(request: pytest.FixtureRequest) -> Vocabulary:
    return source_of(request.param)


def test_leaves_by_hand() -> None:
    # wa + si = wasi. "wa si si" takes wa once, Ġ twice, si twice, and wasi never. Of the three leaves' order:
    # wasi (0) goes first, then wa (1) and si (2) are leaves too: keeping 258 drops wasi and wa.
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pairs = [("w", "a"), ("s", "i"), ("wa", "si")]
    ids = {token: i for i, token in enumerate([*letters, *(a + b for a, b in pairs)])}
    backend = Tokenizer(models.BPE(ids, pairs))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    vocabulary = Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend))
    assert prune(vocabulary, ["wa si si"]).tokens == (*letters, "wa", "si")
    assert prune(vocabulary, ["wa si si"], 257).tokens == (*letters, "si")
    # Here wasi is taken twice and wa, si never: neither can go before wasi does.
    assert prune(vocabulary, ["wasi wasi"], 258).tokens == (*letters, "wa", "si")
    with pytest.raises(LexigraftError, match="no token can be dropped"):
        prune(vocabulary, ["wasi wasi"])


def test_frequency_then_score_by_hand() -> None:
    # "ab c" takes ▁ab and ▁c; of the unused abc (-5) and bc (-4) the lower score goes first; "b" and "zz" (-9, lowest)
    # stay: one is a character of the text, and from the other the cost of unknown characters is reckoned.
    pieces = [("<unk>", 0.0), ("▁ab", -1.0), ("▁c", -1.0), ("abc", -5.0), ("bc", -4.0), ("▁", -6.0), ("a", -6.0),
              ("b", -6.0), ("c", -6.0), ("zz", -9.0)]  # fmt: skip
    backend = Tokenizer(models.Unigram(pieces, unk_id=0))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    vocabulary = Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>"))
    left = ["<unk>", "▁ab", "▁c", "▁", "a", "b", "c", "zz"]
    assert prune(vocabulary, ["ab c"]).tokens == tuple(left)
    assert prune(vocabulary, ["ab c"], 9).tokens == (*left[:3], "bc", *left[3:])
    assert prune(vocabulary, ["ab c"], 7).tokens == ("<unk>", "▁ab", "▁", "a", "b", "c", "zz")


def test_what_is_unused_goes_and_the_text_is_cut_as_before(source: Vocabulary) -> None:
    pruned = prune(source, LINES[:3])
    assert pruned.size < source.size
    assert strings(pruned, LINES[:3]) == strings(source, LINES[:3])
    after = [pruned.tokenizer.decode(ids) for ids in pruned.encode(LINES[:3])]
    assert after == [source.tokenizer.decode(ids) for ids in source.encode(LINES[:3])]


def test_a_hard_cut_keeps_bytes_specials_characters_and_reachability(source: Vocabulary) -> None:
    with pytest.raises(LexigraftError, match="fewer tokens than must stay") as refused:
        prune(source, LINES, 5)
    least = int(refused.value.hint.split()[1].replace(",", ""))
    pruned = prune(source, LINES, least)
    assert pruned.size == least
    kept = set(pruned.tokens)
    assert {source.tokens[i] for i in {*source.special_ids, *source.byte_tokens.values()}} <= kept
    assert {role: pruned.tokens[i] for role, i in pruned.specials.items()} == {
        role: source.tokens[i] for role, i in source.specials.items()
    }
    unknown_before, unknown_after = (
        sum(ids.count(one.specials.get("unk", -1)) for ids in one.encode(LINES)) for one in (source, pruned)
    )
    assert unknown_after <= unknown_before
    half = prune(source, LINES, (source.size + least) // 2)
    whole, part = (one.tokenizer.backend_tokenizer.model for one in (source, half))
    alone = [t for t in half.tokens if [p.value for p in whole.tokenize(t)] == [t]]
    assert [t for t in alone if [p.value for p in part.tokenize(t)] != [t]] == []


def test_special_tokens_are_added_with_their_new_ids(source: Vocabulary, tmp_path: Path) -> None:
    pruned = prune(source, LINES[:3])
    save_tokenizer(pruned.tokenizer, tmp_path)
    plain, bare = AutoTokenizer.from_pretrained(tmp_path), Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for line in LINES[:3]:
        wanted = source.tokenizer.convert_ids_to_tokens(source.tokenizer(line).input_ids)
        assert plain.convert_ids_to_tokens(plain(line).input_ids) == wanted
        assert bare.encode(line).tokens == wanted


@pytest.mark.parametrize("name", ["roberta-tied-bias", "llama-untied"])
def test_grafted_logits_of_kept_tokens_are_the_same_bits(name: str, tmp_path: Path) -> None:
    model, tokenizer, _ = fixture(name)
    model.save_pretrained(tmp_path / "source")
    tokenizer.save_pretrained(tmp_path / "source")
    source = Vocabulary.of(tokenizer)
    pruned = prune(source, LINES[:3])
    save_tokenizer(pruned.tokenizer, tmp_path / "pruned")
    grafted = graft_model(str(tmp_path / "source"), str(tmp_path / "pruned"), "mean").model.eval()
    before, after = (torch.tensor([one.encode(LINES[:1])[0]]) for one in (source, pruned))
    kept = [source.id_of(token) for token in pruned.tokens]
    with torch.no_grad():
        wanted = model.eval()(input_ids=before).logits[..., kept]
        found = grafted(input_ids=after).logits[..., : pruned.size]
    assert torch.equal(found, wanted)


def test_keeping_more_than_there_is() -> None:
    with pytest.raises(LexigraftError, match="not below the size: 430"):
        prune(Vocabulary.of(tiny_tokenizer("byte_bpe")), LINES, 430)


def test_whole_words_are_not_pruned() -> None:
    backend = Tokenizer(models.WordLevel({"wasi": 0, "[UNK]": 1}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words = Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]"))
    with pytest.raises(LexigraftError, match="of this kind are not pruned: WordLevel"):
        prune(words, LINES)

"""Training like another tokenizer: what is taken from it, what is new, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer
from transformers import AutoTokenizer

from fixtures.word_end_tokenizers import word_end_vocabulary
from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.editing.training_like import train_like
from lexigraft.core.tokenization.files.saving import PROBES, save_tokenizer
from lexigraft.core.tokenization.surface import component
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.sample_text import SAMPLE
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

TARGET = SAMPLE["target"].splitlines()
FAMILIES = ["byte_bpe", "bpe_byte_fallback", "unigram", "unigram_byte_fallback", "unigram_sentinels", "wordpiece"]
PARTS = ("normalizer", "pre_tokenizer", "decoder")
SIZE = 600


@pytest.fixture(scope="module", params=FAMILIES)
def pair(request: pytest.FixtureRequest) -> tuple[Vocabulary, Vocabulary]:
    tokenizer = tiny_tokenizer(request.param)
    tokenizer.chat_template = "{{ messages }}"
    tokenizer.add_tokens([AddedToken("<|call|>", special=True), AddedToken("wasinka", normalized=False)])
    source = Vocabulary.of(tokenizer)
    return source, train_like(source, TARGET, SIZE)


def test_all_but_the_tokens_of_text_is_the_others(pair: tuple[Vocabulary, Vocabulary]) -> None:
    source, trained = pair
    ours, theirs = (one.tokenizer.backend_tokenizer for one in (source, trained))
    assert [component(getattr(theirs, part)) for part in PARTS] == [component(getattr(ours, part)) for part in PARTS]
    assert trained.tokenizer.chat_template == "{{ messages }}"
    assert {r: trained.tokens[i] for r, i in trained.specials.items()} == {
        r: source.tokens[i] for r, i in source.specials.items()
    }
    flags, wanted = (
        {str(t): (t.special, t.lstrip, t.normalized) for t in one.tokenizer.added_tokens_decoder.values()}
        for one in (trained, source)
    )
    assert flags == wanted
    around, before = (
        [one.tokens[i] for i in one.tokenizer("a<|call|> wasinka").input_ids if i in one.special_ids] for one in pair
    )
    assert around == before


def test_fits_the_text_better(pair: tuple[Vocabulary, Vocabulary]) -> None:
    source, trained = pair
    assert trained.size <= SIZE
    assert sum(map(len, trained.encode(TARGET))) < 0.9 * sum(map(len, source.encode(TARGET)))
    assert trained.family is source.family
    assert trained.byte_complete is source.byte_complete
    if trained.byte_complete:
        assert trained.tokenizer.decode(trained.encode([PROBES[5]])[0]).strip() == PROBES[5]


def test_saved_files_give_the_same_ids(pair: tuple[Vocabulary, Vocabulary], tmp_path: Path) -> None:
    trained = pair[1]
    save_tokenizer(trained.tokenizer, tmp_path)
    plain, bare = AutoTokenizer.from_pretrained(tmp_path), Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    wanted = trained.encode(TARGET)
    assert [plain(text, add_special_tokens=False).input_ids for text in TARGET] == wanted
    assert [bare.encode(text, add_special_tokens=False).ids for text in TARGET] == wanted


def test_the_same_each_time() -> None:
    source = Vocabulary.of(tiny_tokenizer("unigram"))
    assert train_like(source, TARGET, SIZE).hash == train_like(source, TARGET, SIZE).hash


def test_words_and_digits_are_parted_as_the_source_parts_them() -> None:
    lines = ["ka 2024, ka2024! ka,ka"] * 9
    trained = train_like(Vocabulary.of(tiny_tokenizer("bpe_byte_fallback")), lines, 400)
    text = [token for token in trained.tokens if not token.startswith("<")]
    assert {"▁ka", "ka"} <= set(text)
    assert not [t for t in text if any(c.isalpha() for c in t) and not t.strip("▁").isalpha()]


def test_the_other_type_of_sentencepiece() -> None:
    source = Vocabulary.of(tiny_tokenizer("unigram"))
    trained = train_like(source, TARGET, SIZE, "bpe")
    assert type(trained.tokenizer.backend_tokenizer.model).__name__ == "BPE"
    assert trained.tokens[:5] == source.tokens[:5]
    assert trained.tokenizer.decode(trained.encode(TARGET)[0]) == TARGET[0]


def test_refuses_types_kinds_and_sizes() -> None:
    source = Vocabulary.of(tiny_tokenizer("byte_bpe"))
    with pytest.raises(LexigraftError, match=r"unigram.*byte_bpe"):
        train_like(source, TARGET, SIZE, "unigram")
    with pytest.raises(LexigraftError, match="of this kind: BPE, byte_level_suffix"):
        train_like(word_end_vocabulary("clip"), TARGET, SIZE)
    # Five special tokens and 256 bytes.
    with pytest.raises(LexigraftError, match=r"too small: 260\. .* take 261"):
        train_like(source, TARGET, 260)

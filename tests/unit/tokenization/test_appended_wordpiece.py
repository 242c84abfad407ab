"""WordPiece extended: cases by hand, and the words that no extension makes longer."""

from __future__ import annotations

import random

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from lexigraft.core.tokenization.editing.appending import with_appended
from lexigraft.core.tokenization.editing.extension import check_extendable, extend
from lexigraft.core.tokenization.vocabulary import Vocabulary

LETTERS = "abcdef"


def wordpiece(*tokens: str, prefix: str = "##") -> Vocabulary:
    letters = [mark + letter for mark in ("", prefix) for letter in LETTERS]
    ids = {token: n for n, token in enumerate(["[UNK]", *letters, *tokens])}
    backend = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", continuing_subword_prefix=prefix))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]"))


def cut(vocabulary: Vocabulary, word: str) -> list[str]:
    return [vocabulary.tokens[i] for i in vocabulary.encode([word])[0]]


def test_a_token_that_makes_a_word_longer_is_left_out() -> None:
    # "abcdef" is ab|##cdef. With "abc" it would be abc|##d|##e|##f, so "abc" comes only where no text has that word.
    source = wordpiece("ab", "##cdef")
    assert cut(extend(source, ["abc abc abc"], 1), "abcdef") == ["abc", "##d", "##e", "##f"]
    for extended in (
        extend(source, ["abc abc abc abdd abdd abcdef"], 1),
        extend(source, ["abc abc abc abdd abdd"], 1, familiar=["abcdef"]),
    ):
        assert cut(extended, "abcdef") == ["ab", "##cdef"]
        assert cut(extended, "abdd") == ["ab", "##dd"]


def test_rests_that_are_tokens_let_it_in() -> None:
    # What "abc" leaves of ##cdef is ##def, one token: two as before.
    source = wordpiece("ab", "##cdef", "##def", "##ef")
    assert cut(extend(source, ["abc abc abc abcdef"], 1), "abcdef") == ["abc", "##def"]


def test_tokens_that_longer_ones_replace_are_not_added(caplog: pytest.LogCaptureFixture) -> None:
    # Merges go by ab, abc, abcd or the like; where all are tokens, only the whole word is ever the longest match.
    source = wordpiece()
    assert extend(source, ["abcd abcd abcd"], 3).tokens[source.size :] == ("abcd",)
    assert "3 were asked for" in caplog.text


def test_characters_that_the_source_lacks_come_first() -> None:
    source = wordpiece()
    extended = extend(source, ["añb añb añ bbñ"], 3)
    assert source.encode(["ñ añb"]) == [[source.id_of("[UNK]")] * 2]
    assert extended.tokens[source.size] == "##ñ"
    assert "[UNK]" not in cut(extended, "bañ")


def test_words_that_no_extension_makes_longer() -> None:
    chance = random.Random(0)

    def piece(low: int, high: int) -> str:
        return "".join(chance.choices("abc", k=chance.randint(low, high)))

    seen = 0
    for _ in range(20):
        source = wordpiece(*{piece(2, 4) for _ in range(4)}, *{f"##{piece(2, 4)}" for _ in range(6)})
        new = [t for t in dict.fromkeys([piece(2, 5), *(f"##{piece(2, 5)}" for _ in range(5))]) if not source.id_of(t)]
        extended = with_appended(source, new)
        known = set(extended.tokens)
        for word in {piece(3, 12) for _ in range(100)}:
            inside = [token.removeprefix("##") for token in cut(source, word)[1:]]
            if all(f"##{token[n:]}" in known for token in inside for n in range(1, len(token))):
                assert len(cut(extended, word)) <= len(cut(source, word))
                seen += cut(extended, word) != cut(source, word)
    assert seen > 100


def test_another_prefix_is_refused() -> None:
    with pytest.raises(Exception, match="no tokenizer is trained like one of this kind"):
        check_extendable(wordpiece(prefix="@@"))

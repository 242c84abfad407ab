"""Where deepfocus 1.0.1 does something else than FOCUS here, and is meant to.

It takes all fragments of characters for one another, for each of them decodes to U+FFFD, and likewise all white space,
which it strips (`benchmarks/matching/replacement_character.py` counts this on published tokenizers); it gives
punctuation the rows of BERT's ``##,`` and its like, which no text ever contains; and it leans on special tokens:
fastText has a vector for its own line end, ``</s>``, so that this token's row is mixed into new words.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fixtures.real_tokenizers import load_real
from lexigraft.core.tokenization.matching.alignment import align
from lexigraft.core.tokenization.surface import Kind
from lexigraft.core.tokenization.vocabulary import Vocabulary
from parity.canonical_forms import blurred
from parity.deepfocus_results import compare, their_twins, vocabularies
from parity.marks import REAL
from parity.sentencepiece_pairs import Pair, made_pair
from parity.word_and_byte_pairs import made_byte_level_pair, made_mixed_pair

pytestmark = [pytest.mark.parity, pytest.mark.slow]
Matched = tuple[Vocabulary, Vocabulary, dict[int, int]]


def published(folder: Path, source: str, target: str) -> Matched:
    """Two published tokenizers, and deepfocus's matches of the target's tokens."""
    sides = load_real(source, folder / "unpacked"), load_real(target, folder / "unpacked")
    for side, name in zip(sides, ("source", "target"), strict=True):
        side.tokenizer.save_pretrained(folder / name)
    return *sides, their_twins(folder, folder / "source", folder / "target")


def match_pair(folder: Path, pair: Pair) -> Matched:
    """A made pair's tokenizers, and deepfocus's matches."""
    return *vocabularies(pair), their_twins(folder, pair.source, pair.target)


@pytest.fixture(scope="module", params=["made", pytest.param("published", marks=REAL)])
def byte_level(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Matched:
    folder = tmp_path_factory.mktemp("byte_level")
    if request.param == "published":
        return published(folder, "GPT-2", "sw-bpe-50k")
    return match_pair(folder, made_byte_level_pair(folder))


def test_deepfocus_takes_all_fragments_of_characters_for_one_another(byte_level: Matched) -> None:
    source, target, theirs = byte_level
    ours, texts = align(source, target).source_ids, target.surfaces.texts
    fragments = blurred(target)["fragments"]
    taken = [i for i in fragments if i in theirs and source.surfaces.texts[theirs[i]] != texts[i]]
    matched = [i for i in fragments if ours[i] >= 0]
    assert len(taken) > 100
    assert len({theirs[i] for i in taken}) < 5
    assert len({int(ours[i]) for i in matched}) == len(matched) > 100
    assert all(source.surfaces.texts[ours[i]] == texts[i] for i in matched)


def test_deepfocus_takes_all_white_space_for_one_token(byte_level: Matched) -> None:
    source, target, theirs = byte_level
    ours = align(source, target).source_ids
    breaks = [i for i in blurred(target)["space"] if len(target.surfaces.texts[i]) == 1 and ours[i] >= 0]
    assert len(breaks) > 5
    assert len({theirs[i] for i in breaks}) < 3
    assert len({int(ours[i]) for i in breaks}) == len(breaks)


@pytest.mark.parametrize("kind", ["made", pytest.param("published", marks=REAL)])
def test_deepfocus_gives_punctuation_the_rows_of_tokens_that_never_occur(kind: str, tmp_path: Path) -> None:
    """Only ``,`` itself is ever seen: the pre-tokenizer cuts words at punctuation."""
    real = kind == "published"
    source, target, theirs = (
        published(tmp_path, "mBERT", "sw-bpe-50k") if real else match_pair(tmp_path, made_mixed_pair(tmp_path))
    )
    ours = align(source, target).source_ids
    for mark in (",", ".", "?"):
        i = target.id_of(mark)
        assert i is not None
        assert source.tokens[theirs[i]] == f"##{mark}"
        assert source.surfaces.kinds[theirs[i]] == Kind.UNUSABLE
        assert source.tokens[ours[i]] == mark


def test_untouched_deepfocus_differs_only_where_it_mixes_in_the_line_end(tmp_path: Path) -> None:
    pair = made_pair(tmp_path)
    both = compare(tmp_path, pair, special_anchors=True)
    mixed = np.array([i for i in both.decided if both.ours.rules[i] == "focus"])
    weights = line_end_weights(pair, mixed, both.twins[:, 0])
    assert (weights > 0).any()
    assert (weights == 0).any()
    assert both.apart[mixed[weights == 0]].max() < 1e-5
    assert both.apart[mixed[weights > 1e-3]].min() > 1e-5
    assert both.apart[np.setdiff1d(both.decided, mixed)].max() == 0


def line_end_weights(
    pair: Pair, asked: npt.NDArray[np.int64], matched: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """The weight that sparsemax over all matched tokens with a vector gives to ``</s>``, in double precision."""
    import fasttext
    from transformers import PreTrainedTokenizerFast

    tokens = PreTrainedTokenizerFast.from_pretrained(pair.target).convert_ids_to_tokens
    model = fasttext.load_model(str(pair.vectors))
    known = set(model.words)
    anchors = [token for token in tokens(np.sort(matched).tolist()) if token in known]
    queries, others = (
        np.stack([model.get_word_vector(token) for token in group]).astype(np.float64)
        for group in (tokens(asked.tolist()), anchors)
    )
    queries, others = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (queries, others))
    scores = queries @ others.T
    ranked = -np.sort(-scores, axis=1)
    sums, steps = ranked.cumsum(1), np.arange(1, ranked.shape[1] + 1)
    support = (1 + steps * ranked > sums).sum(1)
    threshold = (sums[np.arange(len(sums)), support - 1] - 1) / support
    return np.maximum(scores[:, anchors.index("</s>")] - threshold, 0)

"""FOCUS agrees with deepfocus 1.0.1, the authors' implementation, row by row on SentencePiece pairs.

One difference is meant: fastText has a vector for its own line end, ``</s>``, so deepfocus mixes that special token's
row into new words. Here special tokens are copied and never mixed. The comparison leaves them out of deepfocus's
anchors; the last test runs it untouched and shows that this is all that differs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from parity.environments import DEEPFOCUS, ask
from parity.ours import Ours, our_rows
from parity.sentencepiece_pairs import DATA, Pair, made_pair, real_pair

pytestmark = [pytest.mark.parity, pytest.mark.slow]
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Compared:
    """Both results on one pair: theirs as rows, ids of rows drawn at random, and (target, source) twins."""

    ours: Ours
    rows: npt.NDArray[np.float32]
    random: npt.NDArray[np.int64]
    twins: npt.NDArray[np.int64]

    @property
    def decided(self) -> npt.NDArray[np.int64]:
        """Target ids whose rows deepfocus did not draw at random."""
        return np.setdiff1d(np.arange(len(self.rows)), self.random)


def compare(folder: Path, pair: Pair, special_anchors: bool = False) -> Compared:
    """Run both sides on the same files."""
    from transformers import PreTrainedTokenizerFast

    files = {name: str(path) for name, path in vars(pair).items()}
    out = folder / f"theirs-{special_anchors}.npz"
    ask(DEEPFOCUS, "deepfocus_worker.py", {**files, "out": str(out), "special_anchors": special_anchors})
    tokenizers = [PreTrainedTokenizerFast.from_pretrained(path) for path in (pair.source, pair.target)]
    with np.load(out) as theirs:
        return Compared(our_rows(*tokenizers, np.load(pair.table), pair.vectors), **theirs)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(made_pair, id="made"),
        pytest.param(
            real_pair,
            id="xlmr-swahili",
            marks=[pytest.mark.real, pytest.mark.skipif(not DATA.exists(), reason=f"no real data at {DATA}")],
        ),
    ],
)
def compared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    folder = tmp_path_factory.mktemp("pair")
    make: Callable[[Path], Pair] = request.param
    return compare(folder, make(folder))


def test_the_same_tokens_match(compared: Compared) -> None:
    ours = compared.ours.alignment.source_ids
    theirs = np.full(len(ours), -1)
    theirs[compared.twins[:, 0]] = compared.twins[:, 1]
    assert np.flatnonzero(ours != theirs).tolist() == []
    assert len(compared.twins) > 40


def test_rows_agree(compared: Compared) -> None:
    ours, decided = compared.ours, compared.decided
    apart = np.abs(ours.rows - compared.rows).max(axis=1)
    mixed = [i for i in decided if ours.rules[i] == "focus"]
    counts = f"{len(decided)} rows, {len(mixed)} of them mixtures, {len(compared.random)} random"
    print(f"{counts}; furthest apart {apart[decided].max():.1e}")
    assert decided[apart[decided] > TOLERANCE].tolist() == []
    assert len(mixed) > 50


def test_the_same_rows_are_left_to_the_fallback(compared: Compared) -> None:
    fallback = [i for i, rule in enumerate(compared.ours.rules) if rule == "fallback"]
    assert fallback == compared.random.tolist()


def test_untouched_deepfocus_differs_only_where_it_mixes_in_the_line_end(tmp_path: Path) -> None:
    pair = made_pair(tmp_path)
    both = compare(tmp_path, pair, special_anchors=True)
    apart = np.abs(both.ours.rows - both.rows).max(axis=1)
    mixed = np.array([i for i in both.decided if both.ours.rules[i] == "focus"])
    weights = line_end_weights(pair, mixed, both.twins[:, 0])
    assert (weights > 0).any()
    assert (weights == 0).any()
    assert apart[mixed[weights == 0]].max() < TOLERANCE
    assert apart[mixed[weights > 1e-3]].min() > TOLERANCE
    assert apart[np.setdiff1d(both.decided, mixed)].max() == 0


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

"""Our results and deepfocus's on the same files, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lexigraft.core.tokenization.surface import Family
from lexigraft.core.tokenization.vocabulary import Vocabulary
from parity.canonical_forms import blurred
from parity.environments import DEEPFOCUS, ask
from parity.ours import Ours, our_rows
from parity.sentencepiece_pairs import Pair


@dataclass(frozen=True)
class Compared:
    """Both results on one pair.

    Attributes:
        ours: Our rows, rules and alignment.
        rows: Their rows, ``(target, hidden)``.
        random: Ids of the rows that deepfocus drew at random.
        twins: Its matches, ``(matches, 2)``: target and source id.
        blurred: Target tokens that its canonical form takes for others, by reason; nobody leans on them.
        ids: Target ids to compare: no blurred ones, and no special tokens that the source writes in another way, which
            go by their roles here.
    """

    ours: Ours
    rows: npt.NDArray[np.float32]
    random: npt.NDArray[np.int64]
    twins: npt.NDArray[np.int64]
    blurred: dict[str, set[int]]
    ids: npt.NDArray[np.int64]

    @property
    def decided(self) -> npt.NDArray[np.int64]:
        """Compared ids whose rows deepfocus did not draw at random."""
        return np.setdiff1d(self.ids, self.random)

    @property
    def apart(self) -> npt.NDArray[np.float32]:
        """How far each row is from theirs, at most, ``(target,)``."""
        return np.abs(self.ours.rows - self.rows).max(axis=1)


def compare(folder: Path, pair: Pair, *, special_anchors: bool = False) -> Compared:
    """Run both sides.

    Args:
        folder: Where their result is written.
        pair: The files.
        special_anchors: Whether deepfocus may lean on special tokens, as it does by itself.
    """
    source, target = vocabularies(pair)
    found = blurred(target) if target.family is Family.BYTE_LEVEL else {}
    without = sorted(set[int]().union(*found.values()))
    files: dict[str, object] = {name: str(path) for name, path in vars(pair).items()}
    options = {"special_anchors": special_anchors, "without": [target.tokens[i] for i in without]}
    out = folder / f"theirs-{special_anchors}.npz"
    ask(DEEPFOCUS, "deepfocus_worker.py", files | options | {"out": str(out)})
    specials = {source.tokens[i] for i in source.special_ids}
    by_role = [i for i in target.special_ids if target.tokens[i] not in specials]
    with np.load(out) as theirs:
        return Compared(
            ours=our_rows(source.tokenizer, target.tokenizer, np.load(pair.table), pair.vectors, without),
            blurred=found,
            ids=np.setdiff1d(np.arange(target.size), [*without, *by_role]),
            **theirs,
        )


def their_twins(folder: Path, source: Path, target: Path) -> dict[int, int]:
    """The source token that deepfocus matches with each target token, where there is one; no rows are made."""
    request = {"source": str(source), "target": str(target), "out": str(folder / "twins.npz")}
    ask(DEEPFOCUS, "deepfocus_worker.py", request)
    with np.load(request["out"]) as theirs:
        return dict(theirs["twins"].tolist())


def vocabularies(pair: Pair) -> tuple[Vocabulary, Vocabulary]:
    """The two tokenizers as both sides read them."""
    from transformers import PreTrainedTokenizerFast

    source, target = (
        Vocabulary.of(PreTrainedTokenizerFast.from_pretrained(path)) for path in (pair.source, pair.target)
    )
    return source, target

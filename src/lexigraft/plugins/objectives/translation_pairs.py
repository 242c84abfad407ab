"""Translation language modeling: masked language modeling on texts beside their translations or transliterations."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from lexigraft.core.config.input_files import Files, InputFile
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import ModelKind
from lexigraft.core.training.extended_objective import ExtendedObjective
from lexigraft.core.training.objective import ObjectiveData

if TYPE_CHECKING:
    from lexigraft.core.tokenization.vocabulary import Vocabulary
    from lexigraft.core.training.packing import TrainingText

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class PairData(ObjectiveData):
    """Pairs of texts.

    Attributes:
        corpora: The pairs of each file.
    """

    corpora: tuple[tuple[Pair, ...], ...]


@dataclass(frozen=True)
class TranslationPairs(ExtendedObjective):
    """Predict hidden tokens of a text beside its translation, and of the training text.

    A share of the rows holds pairs, ``text [SEP] translation [SEP]``, each in an order that is drawn anew in every
    epoch; the other rows are the training text's. Tokens of both sides are hidden as in masked language modeling, so
    that what one side hides the other may tell. Rows are filled; a pair that meets the end of a row is cut there. With
    several files the pairs of file l are drawn in proportion to ``n_l ** exponent``: the largest file comes once in an
    epoch, another one ``(n_max / n_l) ** (1 - exponent)`` times. MuRIL hides whole words, this hides tokens.

    Source: Conneau and Lample 2019, "Cross-lingual Language Model Pretraining" (TLM); Khanuja et al. 2021, "MuRIL"
    (translated and transliterated pairs, exponent 0.3).
    Relations: masked on the same rows.

    Attributes:
        pair_share: Share of the rows that hold pairs.
        exponent: How much larger files count: 1 by their size, 0 not at all.
        mask_share: Share of the tokens to predict.
    """

    name: ClassVar[str] = "translation_pairs"
    kinds: ClassVar[frozenset[ModelKind]] = frozenset({"masked"})
    packs: ClassVar[bool] = True
    files: ClassVar[Mapping[str, InputFile]] = {
        "pairs": InputFile("a text TAB its translation or transliteration, one pair a line; each file is a corpus")
    }
    pair_share: float = 0.5
    exponent: float = 0.3
    mask_share: float = 0.15

    def __post_init__(self) -> None:
        """Refuse shares and exponents that cannot be."""
        if not 0 < self.pair_share <= 1 or not 0 < self.mask_share < 1:
            raise ValueError("pair_share must be above 0 and not above 1, mask_share between 0 and 1")
        if not 0 <= self.exponent <= 1:
            raise ValueError("exponent must lie between 0 and 1")

    def read(self, files: Files, unseen: Collection[str] = ()) -> PairData:
        """Read the pairs; those with a side that models are measured on are left out."""
        from lexigraft.core.data.sentence_pairs import read_pairs
        from lexigraft.core.utils.hashing import hash_of

        hidden, corpora = frozenset(unseen), []
        for path in files["pairs"]:
            pairs = tuple(pair for pair in read_pairs([path]).pairs if hidden.isdisjoint(pair))
            if not pairs:
                raise LexigraftError("every pair of the file is measured on", path, "Give other pairs")
            corpora.append(pairs)
        return PairData(hash=hash_of(corpora), corpora=tuple(corpora))

    def pack(self, vocabulary: Vocabulary, lines: Sequence[str], sequence_length: int) -> TrainingText:
        """Rows of the training text and rows of pairs, by turns; both must fill one row."""
        from lexigraft.core.config.mixture import TARGET
        from lexigraft.core.data.mixture.schedule import turns
        from lexigraft.core.training.augmented_text import AugmentedText
        from lexigraft.core.training.mixed_text import MixedText
        from lexigraft.core.training.packing import PackedText, pack

        def packed(epoch: int) -> PackedText:
            sides = [side for pair in self.pairs_of(self.material, epoch) for side in pair]
            try:
                return pack(vocabulary, sides, sequence_length, kind="masked")
            except LexigraftError as error:
                raise LexigraftError(f"pairs: {error.what}", error.value, error.hint) from None

        pairs = AugmentedText(packed)
        pairs.at(0, 0)  # pairs that fill no row are refused before anything trains
        text = pack(vocabulary, lines, sequence_length, kind="masked")
        return MixedText({TARGET: text, "pairs": pairs}, turns(self.pair_share))

    def pairs_of(self, data: PairData, epoch: int) -> Iterator[Pair]:
        """The pairs of an epoch, in order.

        Args:
            data: The pairs.
            epoch: Number of the pass; another one draws another order, of the pairs and within each.
        """
        import numpy as np

        generator = np.random.default_rng(epoch)
        largest = max(map(len, data.corpora))
        drawn: list[Pair] = []
        for pairs in data.corpora:
            times, rest = divmod(round(len(pairs) * (largest / len(pairs)) ** (1 - self.exponent)), len(pairs))
            drawn += pairs * times
            drawn += [pairs[n] for n in generator.choice(len(pairs), rest, replace=False).tolist()]
        turned = generator.random(len(drawn)) < 0.5
        for n in generator.permutation(len(drawn)).tolist():
            left, right = drawn[n]
            yield (right, left) if turned[n] else (left, right)

    def sample(self, folder: Path, lines: Sequence[str], model: Path) -> Files:
        """Write every line with itself in capital letters."""
        path = folder / "pairs.tsv"
        path.write_text("".join(f"{line}\t{line.upper()}\n" for line in lines), encoding="utf-8")
        return {"pairs": [str(path)]}

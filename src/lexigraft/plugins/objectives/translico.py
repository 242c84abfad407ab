"""TransliCo: masked language modeling on lines and their transliterations, which are drawn together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from lexigraft.core.config.input_files import Files, InputFile
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import ModelKind
from lexigraft.core.training.extended_objective import ExtendedObjective
from lexigraft.core.training.hidden_states import Layer, layer_number, mean_states, recorded_states
from lexigraft.core.training.objective import ObjectiveData

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary
    from lexigraft.core.training.packing import PackedText


@dataclass(frozen=True, kw_only=True)
class Transliterations(ObjectiveData):
    """Transliterations that the user gives.

    Attributes:
        by_line: The transliteration of each line.
    """

    by_line: Mapping[str, str]


class _Material(NamedTuple):
    """What every batch needs.

    Attributes:
        given: Transliterations by line, where the user gives them.
        layer: The layer that is compared.
    """

    given: Mapping[str, str] | None
    layer: int


@dataclass(frozen=True)
class Translico(ExtendedObjective):
    """Learn lines in their own script and in Latin letters, and draw the two together.

    A row is a line and its transliteration, each framed, cut to half of the sequence length and padded. Both sides are
    masked. The loss is the masked language modeling of one side, plus that of the other, plus ``weight`` times
    ``1/2 mean_i -log softmax(S)_{i, pair(i)}``. S holds the dot products, divided by ``temperature``, of the states of
    all sides of a batch at ``layer``, each the mean over the side's own tokens, mask tokens among them; a side is no
    candidate of itself. Negatives are the other lines in both scripts, those of one process.

    Source: Liu et al. 2024, "TransliCo", section 3, and its published run (layer 8 of 12, temperature 1, weight 0.5,
    dot products without normalization).
    Relations: lexical_contrast contrasts words of a dictionary.

    Attributes:
        weight: Weight of the contrast.
        temperature: What similarities are divided by.
        layer: The layer that is compared: 0 is what the first one reads, -1 the last; two thirds are 8 of 12.
        pooling: ``mean`` over the side's own tokens, or the state of the ``cls`` token.
        normalize: Whether the vectors are of length 1, so that S holds cosines.
        mask_share: Share of the tokens to predict.
        transliterator: What writes the transliterations that are not given as a file.
        language: The language whose rules it takes: an ISO 639-3 code for uroman, transforms for ICU.
    """

    name: ClassVar[str] = "translico"
    kinds: ClassVar[frozenset[ModelKind]] = frozenset({"masked"})
    packs: ClassVar[bool] = True
    files: ClassVar[Mapping[str, InputFile]] = {
        "transliterations": InputFile("each line of the training text TAB its transliteration", required=False),
    }
    weight: float = 0.5
    temperature: float = 1.0
    layer: Layer = "two_thirds"
    pooling: Literal["mean", "cls"] = "mean"
    normalize: bool = False
    mask_share: float = 0.15
    transliterator: Literal["uroman", "icu"] = "uroman"
    language: str | None = None

    def __post_init__(self) -> None:
        """Refuse settings with which nothing is contrasted, and shares that cannot be."""
        if self.weight <= 0 or self.temperature <= 0:
            raise ValueError("weight and temperature must be above 0")
        if not 0 < self.mask_share < 1:
            raise ValueError("mask_share must lie between 0 and 1")

    def read(self, files: Files, unseen: Collection[str] = ()) -> Transliterations | None:
        """The given transliterations, of which only lines of the training text are used; else tries the transliterator.

        Raises:
            LexigraftError: A line without a tab, files without a line, or a transliterator that is not here.
        """
        from lexigraft.core.data.readers import numbered_lines
        from lexigraft.core.data.transliteration.transliterators import transliterator
        from lexigraft.core.utils.hashing import hash_of

        if not (paths := files.get("transliterations")):
            transliterator(self.transliterator, self.language)
            return None
        by_line: dict[str, str] = {}
        for path in paths:
            for number, line in numbered_lines(Path(path).expanduser()):
                text, _, written = (part.strip() for part in line.rpartition("\t"))
                if not (text and written):
                    hint = "Write a line of the training text, a tab, and its transliteration"
                    raise LexigraftError("no transliteration in this line", f"{path}, line {number:,}", hint)
                by_line[text] = written
        if not by_line:
            raise LexigraftError("the files hold no transliteration", ", ".join(paths))
        return Transliterations(hash=hash_of(by_line), by_line=by_line)

    def check(self, config: PreTrainedConfig) -> None:
        """Refuse a model without the layer."""
        layer_number(config, self.layer)

    def prepare(
        self, data: Transliterations | None, vocabulary: Vocabulary, config: PreTrainedConfig, sequence_length: int
    ) -> _Material:
        """Keep the given transliterations, and the number of the layer.

        Raises:
            LexigraftError: The tokenizer has no padding token, or none that ``pooling: cls`` could take.
        """
        from lexigraft.core.methods.occurrences import frame

        if "pad" not in vocabulary.specials:
            raise LexigraftError("the tokenizer has no pad token", hint="Lines are padded to one length; add one")
        if self.pooling == "cls" and not frame(vocabulary)[0]:
            raise LexigraftError("the tokenizer puts no token before a text", "pooling cls", "Use pooling mean")
        return _Material(data.by_line if data else None, layer_number(config, self.layer))

    def pack(self, vocabulary: Vocabulary, lines: Sequence[str], sequence_length: int) -> PackedText:
        """One row for each line: the line, then its transliteration, each in half of the sequence length.

        Raises:
            LexigraftError: A line without a given transliteration, transliterations that are the lines themselves, or
                fewer than two lines.
        """
        import numpy as np

        from lexigraft.core.methods.occurrences import frame
        from lexigraft.core.training.packing import PackedText

        before, after = frame(vocabulary)
        pad, half = vocabulary.specials["pad"], sequence_length // 2
        room = half - len(before) - len(after)
        cut = ([side[:room] for side in vocabulary.encode(text)] for text in (lines, self._written(lines)))
        pairs = [pair for pair in zip(*cut, strict=True) if all(set(side) - vocabulary.special_ids for side in pair)]
        if len(pairs) < 2:
            size = f"{len(pairs)} of {len(lines):,} have tokens of both scripts"
            raise LexigraftError("a contrast needs two lines or more", size, "Give more text")
        rows = np.full((2 * len(pairs), half), pad, np.int32)
        for row, side in zip(rows, (side for pair in pairs for side in pair), strict=True):
            framed = [*before, *side, *after]
            row[: len(framed)] = framed
        return PackedText(rows.reshape(len(pairs), 2 * half))

    def _written(self, lines: Sequence[str]) -> Sequence[str]:
        """The transliteration of each line."""
        from lexigraft.core.data.transliteration.cached_lines import transliterated
        from lexigraft.core.data.transliteration.transliterators import refuse_unchanged
        from lexigraft.core.utils.cache import cache_folder

        given = self.material.given
        if given is None:
            return transliterated(lines, self.transliterator, self.language, cache_folder())
        if missing := [line for line in lines if line not in given]:
            size = f"{len(missing):,} of {len(lines):,}, such as: {missing[0][:60]}"
            raise LexigraftError("lines of the training text have no transliteration", size, "Give theirs too")
        written = [given[line] for line in lines]
        refuse_unchanged(written != list(lines), "the given file", None)
        return written

    def batch(
        self,
        sequences: torch.Tensor,
        vocabulary: Vocabulary,
        generator: torch.Generator,
        predictable: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Both sides masked.

        Returns:
            ``input_ids`` and ``labels``, ``attention_mask``, and ``pooled``, the positions of a side's vector; each
            ``(batch, 2, length / 2)``, the line before its transliteration.

        Raises:
            LexigraftError: The batch is a single line.
        """
        import torch

        if len(sequences) < 2:
            hint = "Give batch_tokens of several sequence_lengths"
            raise LexigraftError("a batch of one line has nothing to contrast it with", self.name, hint)
        sides = sequences.view(len(sequences), 2, -1)
        read = sides != vocabulary.specials["pad"]
        pooled = read & ~torch.isin(sides, torch.tensor(sorted(vocabulary.special_ids)))
        if self.pooling == "cls":
            pooled = torch.zeros_like(read)
            pooled[..., 0] = True
        masked = self.usual.batch(sides.flatten(0, 1), vocabulary, generator)
        both = {key: value.view_as(sides) for key, value in masked.items()}
        return {**both, "attention_mask": read.long(), "pooled": pooled}

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Both sides' masked language modeling, plus the weighted contrast."""
        import torch

        from lexigraft.core.training.contrast import pair_contrast

        total, vectors = torch.zeros((), device=model.device), []
        for number in range(2):
            side = {key: value[:, number] for key, value in batch.items()}
            with recorded_states(model) as states:
                total = total + self.usual.loss(model, side)
            vectors.append(mean_states(states[self.material.layer], side["pooled"]))
        pairs = torch.stack(vectors, 1).flatten(0, 1)
        if self.normalize:
            pairs = torch.nn.functional.normalize(pairs, dim=1)
        return total + self.weight * pair_contrast(pairs, self.temperature) / 2

    def sample(self, folder: Path, lines: Sequence[str], model: Path) -> Files:
        """Write capital letters as the transliteration of every line."""
        path = folder / "transliterations.tsv"
        path.write_text("".join(f"{line}\t{line.upper()}\n" for line in lines), encoding="utf-8")
        return {"transliterations": [str(path)]}

"""Code-switching restore: code-switched, maybe noisy text in, clean text out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from lexigraft.core.config.input_files import Files, InputFile
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import ModelKind
from lexigraft.core.training.extended_objective import ExtendedObjective
from lexigraft.core.training.objective import ObjectiveData

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary
    from lexigraft.core.training.augmented_text import Augmentation
    from lexigraft.core.training.packing import PackedText, TrainingText


@dataclass(frozen=True, kw_only=True)
class Changes(ObjectiveData):
    """What changes the text.

    Attributes:
        augmentation: The augmenters, one after the other.
    """

    augmentation: Augmentation


@dataclass(frozen=True)
class CodeSwitchRestore(ExtendedObjective):
    """Restore sentences in which a dictionary's translations stand in the place of words.

    The text is divided into sentences; those of which nothing was switched are left out of the epoch, and each epoch
    switches anew. An encoder-decoder reads switched sentences and writes the clean ones. A causal model reads
    ``switched => clean`` and learns the part behind the separator. A masked model reads a sentence in which tokens of a
    word are those of its translation, and predicts the word's tokens there and nothing else; a word whose translation
    has more or fewer tokens stays as it is.

    Source: Zan et al. 2022, "CSR4mBART" (restoring for encoder-decoders, 35 % of the words; there pieces are exchanged
    for neighbors in a mapped space, and the loss is smoothed). The other two kinds are ours.
    Relations: the augmenters code_switch and noise change text in the same way without asking for the clean one.

    Attributes:
        p: The probability with which a known word, or a sentence, is switched.
        reverse: Whether the text's words are in the dictionary's second column.
        per: What is drawn: each known word alone, or a sentence, of which all known words are then switched.
        noise: The probability with which a word is left out, misspelled or put behind the next one before.
        separator: What stands between switched and clean text for causal models.
    """

    name: ClassVar[str] = "code_switch_restore"
    kinds: ClassVar[frozenset[ModelKind]] = frozenset({"masked", "causal", "seq2seq"})
    packs: ClassVar[bool] = True
    files: ClassVar[Mapping[str, InputFile]] = {
        "dictionary": InputFile("a word of the text TAB its translation [TAB count], one pair a line (.tsv, .tsv.gz)")
    }
    p: float = 0.35
    reverse: bool = False
    per: Literal["word", "sentence"] = "word"
    noise: float = 0.0
    separator: str = " =>"

    def __post_init__(self) -> None:
        """Refuse probabilities that are none."""
        if not 0 < self.p <= 1 or not 0 <= self.noise <= 1:
            raise ValueError("p must be above 0 and not above 1, noise must lie between 0 and 1")

    def read(self, files: Files, unseen: Collection[str] = ()) -> Changes:
        """Read the dictionary, in which there must be a pair."""
        from lexigraft.core.data.augmentation import make_augmenters
        from lexigraft.core.training.augmented_text import Augmentation

        switch = {"file": tuple(files["dictionary"]), "p": self.p, "reverse": self.reverse, "per": self.per}
        noise = [{"noise": {"p": self.noise}}] if self.noise else []
        augmentation = Augmentation(make_augmenters([*noise, {"code_switch": switch}]))
        return Changes(hash=augmentation.augmenters[-1].content, augmentation=augmentation)

    def pack(self, vocabulary: Vocabulary, lines: Sequence[str], sequence_length: int) -> TrainingText:
        """Rows of switched and clean text, anew in every epoch.

        Args:
            vocabulary: The vocabulary to encode with.
            lines: The clean text.
            sequence_length: Tokens of a row; for masked models and encoder-decoders of each of its two sides.

        Raises:
            LexigraftError: The dictionary has no word of the text, or what is switched fills no row.
        """
        from lexigraft.core.training.augmented_text import AugmentedText

        self.material.augmentation.refuse_idle(lines)
        by_kind: Mapping[ModelKind | None, Callable[..., PackedText]] = {
            "masked": self._masked_rows,
            "causal": self._causal_rows,
            "seq2seq": self._seq2seq_rows,
        }
        pack_epoch = by_kind[self.kind]
        text = AugmentedText(lambda epoch: pack_epoch(vocabulary, lines, sequence_length, epoch))
        text.at(0, 0)  # what fills no row is refused before anything trains
        return text

    def batch(
        self,
        sequences: torch.Tensor,
        vocabulary: Vocabulary,
        generator: torch.Generator,
        predictable: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """``input_ids`` and ``labels``, for encoder-decoders ``attention_mask``, too, of rows of :meth:`pack`.

        Predictable is, for causal models, what is behind a separator, else what is not padding. Nothing is drawn here.
        """
        import torch

        known = torch.ones_like(sequences, dtype=torch.bool) if predictable is None else predictable
        if self.kind == "causal":
            first, end = (vocabulary.specials.get(role) for role in ("bos", "eos"))
            answers = known if first in (None, end) else known & (sequences != first)
            return self.usual.batch(sequences, vocabulary, generator, answers)
        read, clean = sequences.chunk(2, 1)
        if self.kind == "masked":
            return {"input_ids": read, "labels": clean.masked_fill(read == clean, -100)}
        seen, learned = known.chunk(2, 1)
        return {"input_ids": read, "attention_mask": seen.long(), "labels": clean.masked_fill(~learned, -100)}

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Mean cross-entropy in nats over the tokens to restore; 0 without such tokens."""
        from torch.nn.functional import cross_entropy

        if self.kind != "seq2seq":
            return self.usual.loss(model, batch)
        logits = model(**batch, use_cache=False).logits
        total = cross_entropy(logits.flatten(0, 1).float(), batch["labels"].flatten(), reduction="sum")
        return total / max(1, self.predicted(batch))

    def sample(self, folder: Path, lines: Sequence[str], model: Path) -> Files:
        """Write a dictionary of a few words, each of one token."""
        path = folder / "dictionary.tsv"
        path.write_text("the\tand\nriver\tbread\nhouse\tmarket\nand\tthe\n", encoding="utf-8")
        return {"dictionary": [str(path)]}

    def _changed(self, lines: Sequence[str], epoch: int) -> Iterator[tuple[str, str]]:
        """Sentences of which something is switched, each with the clean one."""
        from lexigraft.core.data.annotated_text import AnnotatedText
        from lexigraft.core.data.augmentation import augment
        from lexigraft.core.data.segments.sentences import Sentences

        for line in lines:
            for sentence in Sentences(line):
                changed = augment(AnnotatedText(sentence), self.material.augmentation.augmenters, 0, epoch).document
                if changed.text != sentence:
                    yield changed.text, sentence

    def _ids(self, vocabulary: Vocabulary, lines: Sequence[str], epoch: int) -> Iterator[tuple[list[int], list[int]]]:
        """Token ids of both."""
        pairs = list(self._changed(lines, epoch))
        changed, clean = (vocabulary.encode([pair[side] for pair in pairs]) for side in (0, 1))
        return zip(changed, clean, strict=True)

    def _masked_rows(self, vocabulary: Vocabulary, lines: Sequence[str], length: int, epoch: int) -> PackedText:
        import numpy as np

        from lexigraft.core.training.packing import PackedText, pack
        from lexigraft.core.training.restoration import replaced

        def read(part: Sequence[str]) -> Iterator[list[int]]:
            return (replaced(*pair) for pair in self._ids(vocabulary, part, epoch))

        def clean(part: Sequence[str]) -> Iterator[list[int]]:
            return (ids for _, ids in self._ids(vocabulary, part, epoch))

        # Both are equally long sentence by sentence, so that their rows correspond.
        sides = [pack(vocabulary, lines, length, kind="masked", encode=side).rows for side in (read, clean)]
        rows: npt.NDArray[np.int32] = np.hstack(sides)
        return PackedText(rows)

    def _causal_rows(self, vocabulary: Vocabulary, lines: Sequence[str], length: int, epoch: int) -> PackedText:
        from lexigraft.core.data.annotated_text import AnnotatedText
        from lexigraft.core.data.augmentation import AddedSpan, Augmented
        from lexigraft.core.training.augmented_text import marked_ids
        from lexigraft.core.training.packing import pack

        def encode(part: Sequence[str]) -> Iterator[list[int]]:
            prompts = [(changed + self.separator, sentence) for changed, sentence in self._changed(part, epoch)]
            yield from marked_ids(
                vocabulary,
                [
                    Augmented(AnnotatedText(f"{prompt} {answer}"), (AddedSpan(0, len(prompt), "prompt", loss=False),))
                    for prompt, answer in prompts
                ],
            )

        return pack(vocabulary, lines, length, kind="causal", encode=encode)

    def _seq2seq_rows(self, vocabulary: Vocabulary, lines: Sequence[str], length: int, epoch: int) -> PackedText:
        from lexigraft.core.training.restoration import side_by_side

        special = vocabulary.specials
        if "eos" not in special or "pad" not in special:
            raise LexigraftError("restoring needs an end token and a padding token", ", ".join(sorted(special)))
        return side_by_side(self._ids(vocabulary, lines, epoch), length, special["eos"], special["pad"])

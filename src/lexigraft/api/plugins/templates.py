"""Templates for the files of new plug-ins."""

from __future__ import annotations

STRATEGY = '''"""{title}: new rows as means of a token's pieces, longer pieces counting more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lexigraft.strategies import InitContext, Mix, Plan, Strategy


@dataclass(frozen=True)
class {cls}(Strategy):
    """Each new row is a mean of the source rows of the token's pieces, weighted by the pieces' length in bytes.

    ``w = length ** power``, ``row = sum(w_p E_source[p]) / sum(w_p)``; ``power=0`` is the plain mean. A token that
    nothing spells stays uncovered: the next strategy of a chain, or the fallback, fills it.

    Source: name the paper and section, or say where the idea comes from.
    Needs: nothing.
    Relations: `subword_mean` is the same with power 0.
    """

    name: ClassVar[str] = "{name}"
    convex: ClassVar[bool] = True
    power: float = 1.0

    def plan(self, ctx: InitContext) -> Plan:
        """Say how each row of ``ctx.target_ids`` is made, in that order."""
        return Mix.from_rows(self._row(ctx, i) for i in ctx.target_ids.tolist())

    def _row(self, ctx: InitContext, i: int) -> tuple[list[int], list[float]]:
        token, pieces_of = ctx.target.surfaces, ctx.source.surfaces
        pieces = ctx.source.pieces(token.texts[i], bool(token.starts[i]))
        weights = [max(1, len(pieces_of.texts[piece])) ** self.power for piece in pieces]
        return pieces, [weight / sum(weights) for weight in weights]
'''

OBJECTIVE = '''"""{title}: the usual loss of the model's kind, and short rows of the tokens that are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lexigraft.objectives import ExtendedObjective, ModelKind

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class {cls}(ExtendedObjective):
    """Learn as usual, and keep the input rows short.

    The loss is the usual one of the model's kind plus ``weight`` times the mean square of what the input rows of a
    batch's tokens hold. Text is packed and hidden as usual, because only the loss is another one.

    Source: name the paper and section, or say where the idea comes from.

    Attributes:
        weight: Weight of the mean square.
    """

    name: ClassVar[str] = "{name}"
    kinds: ClassVar[frozenset[ModelKind]] = frozenset({{"masked", "causal", "seq2seq"}})
    weight: float = 0.1

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The usual loss, plus the weighted mean square."""
        rows = model.get_input_embeddings()(batch["input_ids"])
        return super().loss(model, batch) + self.weight * rows.float().square().mean()
'''

EVALUATOR = '''"""{title}: how often the row of a word's translation is the nearest one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from lexigraft.evaluators import (
    EvaluationContext,
    EvaluationData,
    Evaluator,
    Files,
    InputFile,
    ItemScores,
    LexigraftError,
    Sample,
    Scores,
    hash_of,
    read_lines,
)

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.evaluators import Vocabulary


@dataclass(frozen=True, kw_only=True)
class Pairs(EvaluationData):
    """Words beside their translations; each pair is an item."""

    words: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class {cls}(Evaluator):
    """Share of words of which the translation's input row is among the nearest of all translations' rows.

    A word of several tokens has the mean of their rows; rows are compared by cosine.

    Source: name the paper and section, or say where the idea comes from.

    Attributes:
        nearest: How many of the nearest rows count.
    """

    name: ClassVar[str] = "{name}"
    files: ClassVar[Mapping[str, InputFile]] = {{"test": InputFile("word TAB translation, one pair a line")}}
    nearest: int = 1

    def read(self, files: Files) -> Pairs:
        """Read the pairs; a line that is none is refused."""
        words = []
        for number, line in enumerate(read_lines(files["test"]), 1):
            word, tab, translation = line.partition("\\t")
            if not tab or not word.strip() or not translation.strip():
                raise LexigraftError("line is not a pair", f"{{number}}: {{line}}", "Write word TAB translation")
            words.append((word.strip(), translation.strip()))
        if not words:
            raise LexigraftError("there are no pairs", ", ".join(files["test"]), "Give at least one line")
        return Pairs(hash=hash_of(words), size=len(words), words=tuple(words))

    def evaluate(
        self, model: PreTrainedModel, vocabulary: Vocabulary, data: Pairs, context: EvaluationContext
    ) -> Scores:
        """Look for each word's translation; the outcome of an item is 1 where it is found, else 0."""
        ours, theirs = zip(*data.words, strict=True)
        cosines = self._rows(model, vocabulary, ours) @ self._rows(model, vocabulary, theirs).T
        better = (cosines > cosines.diagonal()[:, None]).sum(dim=1)
        return Scores.of({{"precision": ItemScores.of((better < self.nearest).cpu().numpy())}})

    def _rows(self, model: PreTrainedModel, vocabulary: Vocabulary, words: Sequence[str]) -> torch.Tensor:
        import torch

        table = model.get_input_embeddings().weight.detach()
        rows = [table[torch.tensor(ids, device=table.device)].float().mean(0) for ids in vocabulary.encode(words)]
        return torch.nn.functional.normalize(torch.stack(rows), dim=1)

    def sample(self, folder: Path) -> Sample:
        """Write a few pairs, on which `lexigraft evaluators check {name}` measures tiny models."""
        path = folder / "pairs.tsv"
        path.write_text("river\\twater\\nhouse\\tschool\\nmoon\\tsun\\n", encoding="utf-8")
        return Sample({{"test": [str(path)]}})
'''

AUGMENTER = '''"""{title}: an entity's title beside its mention, in parentheses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lexigraft.augmenters import AnnotatedText, Augmenter, Edit, Piece

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class {cls}(Augmenter):
    """Put the name of an entity in another language in parentheses behind its mention, with probability p.

    Source: name the paper and section, or say where the idea comes from.

    Attributes:
        p: The probability with which a mention gets a name.
        language: The language of the names, as the anchors' ``surface`` has it.
        learned: Whether the model learns to predict what is added.
    """

    name: ClassVar[str] = "{name}"
    loss_options: ClassVar[Mapping[str, str]] = {{"name": "learned"}}
    language: str = "en"
    learned: bool = True

    def opportunities(self, document: AnnotatedText) -> int:
        """How many anchors have a name."""
        return sum(bool(anchor.surface.get(self.language)) for anchor in document.anchors)

    def edits(self, document: AnnotatedText, generator: np.random.Generator) -> Sequence[Edit]:
        """One edit for each anchor that is drawn; draw from the generator alone."""
        draws = generator.random(len(document.anchors)).tolist()
        return [
            Edit(anchor.end, anchor.end, (Piece(f" ({{name}})", "name", self.learned),))
            for anchor, draw in zip(document.anchors, draws, strict=True)
            if draw < self.p and (name := anchor.surface.get(self.language))
        ]
'''

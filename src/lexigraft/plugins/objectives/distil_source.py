"""Distillation of the ungrafted model on source text, across tokenizers."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from lexigraft.core.config.input_files import Files, InputFile
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import ModelKind, context_length, model_kind
from lexigraft.core.training.extended_objective import AddedTerm
from lexigraft.core.training.objective import ObjectiveData

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

    from lexigraft.core.tokenization.offsets import TokenSpans
    from lexigraft.core.tokenization.vocabulary import Vocabulary

_TEACHER_BATCH_TOKENS = 4096


@dataclass(frozen=True, kw_only=True)
class SourceText(ObjectiveData):
    """Source text with the model that knows it.

    Attributes:
        teacher: Folder or Hub name of the ungrafted model.
        config: Its configuration.
        vocabulary: Its vocabulary.
        lines: The text that it is heard on.
    """

    teacher: str
    config: PreTrainedConfig
    vocabulary: Vocabulary
    lines: Sequence[str]


class _Line(NamedTuple):
    """One line for both models.

    Attributes:
        student: The student's token ids, those behind the last chunk cut off.
        chunks: The chunk of each, -1 for one that is read but not compared.
        teacher: Log-likelihood of each chunk under the teacher.
    """

    student: npt.NDArray[np.int64]
    chunks: npt.NDArray[np.int64]
    teacher: npt.NDArray[np.float64]


class _Chunks(NamedTuple):
    """The source text, line by line, padded.

    Attributes:
        ids: What the student reads, int64, ``(lines, length)``.
        labels: The tokens that it predicts there; -100 where there is none to compare, ``(lines, length)``.
        chunks: The chunk of each label, ``(lines, length)``.
        teacher: Log-likelihoods of the chunks, float32, ``(lines, chunks)``; 1 where there is no chunk.
    """

    ids: torch.Tensor
    labels: torch.Tensor
    chunks: torch.Tensor
    teacher: torch.Tensor


@dataclass(frozen=True)
class DistilSource(AddedTerm):
    """Learn target text as usual, and stay close to the ungrafted model on source text.

    Both models tokenize the same source lines, each in its own way. Between the byte boundaries that the two
    tokenizations share lie chunks, which both models give a likelihood: the product over the chunk's tokens. The loss
    is the causal one on target text plus ``weight`` times the binary cross-entropy of the student's chunk likelihoods
    with the teacher's, both ``exp(log p / temperature)``, less the teacher's own entropy and times the temperature, so
    that agreement is 0 and ``weight`` means the same at every temperature. The teacher is heard once, before training,
    and then leaves memory. What a token's end tells about the next byte is not corrected for.

    Source: Minixhofer et al. 2025, "Universal Cross-Tokenizer Distillation via Approximate Likelihood Matching"
    (arXiv 2503.20083): the binarised divergence of aligned chunks, without its debiasing and its hidden-state loss.
    Relations: source text mixed into the corpus (replay) trains on the same text without a teacher.

    Attributes:
        weight: Weight of the distillation.
        temperature: What log-likelihoods are divided by.
        lines: How many lines of source text are heard, chosen evenly.
        lines_per_sequence: Lines that are drawn for each packed sequence of a batch.
    """

    name: ClassVar[str] = "distil_source"
    kinds: ClassVar[frozenset[ModelKind]] = frozenset({"causal"})
    files: ClassVar[Mapping[str, InputFile]] = {
        "teacher": InputFile("the ungrafted model: a folder or a Hub name"),
        "text": InputFile("source-language text (.txt, .jsonl, .parquet, …)"),
    }
    weight: float = 1.0
    temperature: float = 100.0
    lines: int = 1000
    lines_per_sequence: int = 1

    def __post_init__(self) -> None:
        """Refuse settings with which nothing is distilled."""
        if self.weight <= 0 or self.temperature <= 0:
            raise ValueError("weight and temperature must be above 0")
        if self.lines < 1 or self.lines_per_sequence < 1:
            raise ValueError("lines and lines_per_sequence must be at least 1")

    def read(self, files: Files, unseen: Collection[str] = ()) -> SourceText:
        """The source text, and the teacher's configuration and vocabulary.

        Raises:
            LexigraftError: Several teachers, one that is not causal, or no line to hear it on.
        """
        from lexigraft.core.data.corpus import Corpus, evenly_chosen, load_corpus, without
        from lexigraft.core.models.loading import load_config
        from lexigraft.core.tokenization.files.loading import load_vocabulary
        from lexigraft.core.utils.hashing import hash_of, model_hash

        teacher, *more = files["teacher"]
        if more:
            raise LexigraftError(
                "distil_source has one teacher", ", ".join(files["teacher"]), "Give the ungrafted model"
            )
        config = load_config(teacher)
        if (kind := model_kind(config)) != "causal":
            raise LexigraftError("the teacher must be a causal model", f"{teacher}, {kind}", "Give the ungrafted model")
        text = evenly_chosen(without(load_corpus(files["text"]), Corpus.of(unseen)), self.lines)
        return SourceText(
            hash=hash_of([model_hash(teacher), text.hash]),
            teacher=teacher,
            config=config,
            vocabulary=load_vocabulary(teacher),
            lines=text.lines,
        )

    def prepare(
        self, data: SourceText, vocabulary: Vocabulary, config: PreTrainedConfig, sequence_length: int
    ) -> _Chunks:
        """Let the teacher read the source text; the student reads as much of a line as fits into a sequence.

        Raises:
            LexigraftError: The teacher's weights cannot be read, or no line has a chunk of both tokenizers.
        """
        import torch

        found = _heard(data, vocabulary, sequence_length)
        if not found:
            hint = "Give source text that both tokenizers can write without unknown tokens"
            raise LexigraftError(
                "no chunk of the source text ends in both tokenizations", f"{len(data.lines):,} lines", hint
            )
        prefix = _prefix(vocabulary)
        width, most = max(len(line.student) for line in found), max(len(line.teacher) for line in found)
        ids = torch.zeros(len(found), width + len(prefix), dtype=torch.int64)
        labels, chunks = torch.full_like(ids, -100), torch.zeros_like(ids)
        teacher = torch.ones(len(found), most)
        for row, line in enumerate(found):
            own = torch.from_numpy(line.student)
            ids[row, : len(prefix)] = torch.tensor(prefix)
            ids[row, len(prefix) : len(prefix) + len(own)] = own
            # The output at a token is about the next one; without a prefix nothing is about the first.
            last = len(prefix) + len(own) - 1
            compared = torch.from_numpy(line.chunks)[1 - len(prefix) :]
            labels[row, :last] = own[1 - len(prefix) :].masked_fill(compared < 0, -100)
            chunks[row, :last] = compared.clamp(min=0)
            teacher[row, : len(line.teacher)] = torch.from_numpy(line.teacher)
        return _Chunks(ids, labels, chunks, teacher)

    def draw(self, sequences: int, generator: torch.Generator) -> torch.Tensor:
        """Numbers of source lines."""
        import torch

        size = (sequences, self.lines_per_sequence)
        return torch.randint(len(self.material.ids), size, generator=generator)

    def term(self, model: PreTrainedModel, drawn: torch.Tensor) -> torch.Tensor:
        """The divergence from the teacher, times the temperature."""
        return self.temperature * self.divergence(model, drawn)

    def divergence(self, model: PreTrainedModel, source: torch.Tensor) -> torch.Tensor:
        """The divergence of the student's chunk likelihoods from the teacher's, a mean over chunks in nats.

        Args:
            model: The student.
            source: Numbers of source lines, of any shape.
        """
        from torch.nn.functional import cross_entropy

        from lexigraft.core.methods.byte_chunks import binary_divergence
        from lexigraft.core.models.heads import separable
        from lexigraft.core.training.chunked_cross_entropy import token_cross_entropy

        source = source.flatten().cpu()
        length = int((self.material.labels[source] != -100).any(0).nonzero().max()) + 1
        ids, labels, chunks = (
            part[source, :length].to(model.device)
            for part in (self.material.ids, self.material.labels, self.material.chunks)
        )
        teacher = self.material.teacher[source].to(model.device)
        compared = labels != -100
        if separable(model, ids):
            nats = token_cross_entropy(model, {"input_ids": ids}, lambda states: states[compared], labels[compared])
        else:
            logits = model(input_ids=ids, use_cache=False).logits[compared]
            nats = cross_entropy(logits.float(), labels[compared], reduction="none")
        rows = compared.nonzero()[:, 0]
        student = nats.new_zeros(teacher.numel()).index_add(0, rows * teacher.shape[1] + chunks[compared], -nats)
        known = teacher <= 0
        return binary_divergence(teacher[known], student.view_as(teacher)[known], self.temperature).mean()

    def sample(self, folder: Path, lines: Sequence[str], model: Path) -> Files:
        """Write a few lines; the model is its own teacher."""
        path = folder / "text.txt"
        path.write_text("The river runs.\nThe moon is light.\n", encoding="utf-8")
        return {"teacher": [str(model)], "text": [str(path)]}


def _prefix(vocabulary: Vocabulary) -> list[int]:
    """The token from which a line's first one is predicted, or none."""
    from lexigraft.core.evaluation.frames import causal_prefix

    token = causal_prefix(vocabulary)
    return [] if token is None else [token]


def _heard(data: SourceText, vocabulary: Vocabulary, sequence_length: int) -> list[_Line]:
    """The lines that both models can read, with the teacher's likelihoods."""
    import numpy as np

    from lexigraft.core.evaluation.scoring import Item, target_bits
    from lexigraft.core.methods.byte_chunks import common_chunks
    from lexigraft.core.models.loading import load_model
    from lexigraft.core.tokenization.offsets import token_spans
    from lexigraft.core.utils.devices import usable_device

    teacher = load_model(data.teacher, config=data.config).to(usable_device("auto"))
    prefix, own_prefix = _prefix(data.vocabulary), _prefix(vocabulary)
    longest = (min(context_length(teacher), _TEACHER_BATCH_TOKENS) - len(prefix), sequence_length - len(own_prefix))
    sides = zip(token_spans(data.vocabulary, data.lines), token_spans(vocabulary, data.lines), strict=True)
    lines, items = [], []
    for theirs, ours in sides:
        if _unknown(data.vocabulary, theirs) or _unknown(vocabulary, ours):
            continue
        their_chunks, our_chunks = common_chunks(theirs, ours, longest)
        if not (prefix and own_prefix):  # a first token that nothing predicts takes its chunk along
            their_chunks, our_chunks = (np.maximum(side - 1, -1) for side in (their_chunks, our_chunks))
        if (their_chunks < 0).all():
            continue
        read = np.flatnonzero(their_chunks >= 0)
        inputs = np.array([*prefix, *theirs.ids[: read[-1]]], np.int64)
        items.append(Item(inputs, read - 1 + len(prefix), theirs.ids[read]))
        kept = int(np.flatnonzero(our_chunks >= 0)[-1]) + 1
        lines.append((ours.ids[:kept], our_chunks[:kept], their_chunks[read]))
    if not lines:
        return []
    logs = -math.log(2) * target_bits(teacher, items, _TEACHER_BATCH_TOKENS).clip(min=0)
    heard = np.split(logs, np.cumsum([len(item.targets) for item in items])[:-1])
    return [
        _Line(ids, chunks, np.bincount(theirs, of_tokens).astype(np.float64))
        for (ids, chunks, theirs), of_tokens in zip(lines, heard, strict=True)
    ]


def _unknown(vocabulary: Vocabulary, tokens: TokenSpans) -> bool:
    return vocabulary.specials.get("unk") in tokens.ids.tolist()

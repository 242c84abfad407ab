"""Cloze questions about entities: is an entity that another language knows named in its place?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lexigraft.core.data.annotated_text import Anchor, AnnotatedText, read_annotated, write_annotated
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.choices import Decoder, Question, choice_share, log_likelihoods
from lexigraft.core.evaluation.entity_questions import EntityQuestion, entity_questions
from lexigraft.core.evaluation.evaluator import EvaluationContext, EvaluationData, Evaluator, Files, InputFile, Sample
from lexigraft.core.evaluation.frames import Bos
from lexigraft.core.evaluation.scores import Floats, ItemScores, Scores
from lexigraft.core.utils.hashing import hash_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class ClozeData(EvaluationData):
    """Cloze questions.

    Attributes:
        questions: Each is an item; the right name is the first one.
    """

    questions: tuple[EntityQuestion, ...]


@dataclass(frozen=True)
class EntityCloze(Evaluator):
    """How often the name of an entity is the likeliest of several where a held-out text names it.

    Annotated documents give the questions: the text before the first mention of an entity that has a name in
    ``language`` (what an English model may know), unless the name stands in that text already. The other names are
    drawn from entities that the document does not mention, the same ones for every model. ``accuracy`` compares the
    sums of the tokens' log-likelihoods, ``accuracy_bytes`` divides each by the UTF-8 bytes of the name;
    ``reciprocal_rank`` is 1 over the right name's rank by bytes. Of equally likely names each counts for its share. How
    the kinds of models are scored: ``core/evaluation/choices.py``.

    Source: Petroni et al. 2019 (LAMA: facts as cloze questions); Kassner et al. 2021 (ranked among typed candidates).

    Attributes:
        language: The language that knows the entities.
        distractors: Names of other entities beside the right one.
        questions: Most questions; of more, as many are taken evenly over the text.
        context_characters: Most characters of text before a mention.
        least_context: Fewest characters that must stand there.
        bos: The causal prefix: the tokenizer's bos, else eos ("auto"), bos or an error ("always"), or none ("never").
        decoder: How encoder-decoder models write: behind a sentinel, behind the start token ("plain"), or "auto":
            the sentinel where the tokenizer has one.
        batch_tokens: Most input tokens in one batch.
        max_length: Longest input even where the model could take more.
    """

    name: ClassVar[str] = "entity_cloze"
    files: ClassVar[Mapping[str, InputFile]] = {
        "test": InputFile("annotated documents (text with anchors and their names; .jsonl, .jsonl.gz or .parquet)")
    }
    language: str = "en"
    distractors: int = 4
    questions: int = 500
    context_characters: int = 400
    least_context: int = 20
    bos: Bos = "auto"
    decoder: Decoder = "auto"
    batch_tokens: int = 8192
    max_length: int = 1024

    def __post_init__(self) -> None:
        """Refuse options that belong to no question."""
        if min(self.distractors, self.questions, self.batch_tokens) < 1:
            raise ValueError("distractors, questions and batch_tokens must be at least 1")
        if self.least_context < 1 or self.max_length < 8:
            raise ValueError("least_context must be at least 1, max_length at least 8")
        if self.context_characters < self.least_context:
            raise ValueError("context_characters must be at least least_context")

    def read(self, files: Files) -> ClozeData:
        """Read the documents and ask about their entities.

        Args:
            files: ``test``.

        Raises:
            LexigraftError: Files that are no annotated text, or too few entities to ask about.
        """
        documents = [document for path in files["test"] for document in read_annotated(path)]
        asked = entity_questions(
            documents, self.language, self.distractors, self.context_characters, self.least_context
        )
        if not asked:
            anchors = sum(bool(anchor.surface.get(self.language)) for one in documents for anchor in one.anchors)
            hint = f"Give documents with over {self.distractors} entities and text before them, or fewer distractors"
            place = f"{len(documents)} documents, {anchors} anchors with a name in '{self.language}'"
            raise LexigraftError("there are no questions about entities", place, hint)
        if len(asked) > self.questions:
            asked = [asked[n * len(asked) // self.questions] for n in range(self.questions)]
        return ClozeData(
            hash=hash_of(asked),
            size=len(asked),
            unseen=tuple(dict.fromkeys(text for one in documents if (text := one.text.strip()))),
            questions=tuple(asked),
        )

    def sample(self, folder: Path) -> Sample:
        """Write a few documents with anchors."""
        path = folder / "documents.jsonl"
        places = {"river": "Rio", "school": "Schola", "market": "Forum", "house": "Domus"}
        documents = []
        for word, known_as in places.items():
            text = f"In the morning the children came to the {word} again."
            start = text.index(word)
            documents.append(AnnotatedText(text, "", (Anchor(start, start + len(word), word, None, {"en": known_as}),)))
        write_annotated(path, documents)
        return Sample({"test": [str(path)]}, {"distractors": 2})

    def evaluate(
        self, model: PreTrainedModel, vocabulary: Vocabulary, data: ClozeData, context: EvaluationContext
    ) -> Scores:
        """Rank the names of each question.

        Args:
            model: The model.
            vocabulary: Its vocabulary.
            data: The questions.
            context: Nothing of it is used.

        Returns:
            ``accuracy``, ``accuracy_bytes`` and ``reciprocal_rank``; ``chance``, the accuracy of guessing.

        Raises:
            LexigraftError: A tokenizer without the token that the model kind needs, or ids beyond the model's table.
        """
        settings = {key: value for key, value in asdict(self).items() if key in _SCORING}
        asked = [Question(one.context, one.names) for one in data.questions]
        scores = log_likelihoods(model, vocabulary, asked, **settings)
        sizes = [np.array([len(name.encode()) for name in one.names], np.float64) for one in data.questions]
        by_byte = [of_one / size for of_one, size in zip(scores, sizes, strict=True)]
        items = {
            "accuracy": ItemScores.of([choice_share(one, 0) for one in scores]),
            "accuracy_bytes": ItemScores.of([choice_share(one, 0) for one in by_byte]),
            "reciprocal_rank": ItemScores.of([1 / _rank(one) for one in by_byte]),
        }
        return Scores.of(items, {"chance": float(np.mean([1 / len(one.names) for one in data.questions]))})


_SCORING = ("bos", "decoder", "batch_tokens", "max_length")


def _rank(scores: Floats) -> float:
    """The rank of the first score, 1 for the best; equal ones share the mean of their ranks."""
    better, equal = int((scores > scores[0]).sum()), int((scores == scores[0]).sum())
    return better + (1 + equal) / 2

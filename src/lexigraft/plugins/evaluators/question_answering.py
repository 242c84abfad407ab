"""Extractive question answering in the format of SQuAD."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from lexigraft.core.data.item_splits import without_leaks
from lexigraft.core.data.squad import Question, exact_match, read_squad, word_f1
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, Files, InputFile, Sample
from lexigraft.core.evaluation.frames import frame_of
from lexigraft.core.evaluation.heads.head_evaluator import HeadEvaluator, SplitData
from lexigraft.core.evaluation.heads.question_windows import QuestionWindow, best_span, question_windows
from lexigraft.core.evaluation.heads.trained_head import Example, Head, Logits
from lexigraft.core.evaluation.scores import ItemScores, Scores
from lexigraft.core.utils.hashing import hash_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True)
class QuestionAnswering(HeadEvaluator):
    """The answer to a question as a span of its context: F1 over words, and exact match, as SQuAD defines them.

    A head that is trained with the model scores each token of the context as the first and as the last one of the
    answer. A long context is read in windows that overlap. Normalization is SQuAD's: lower case, without ASCII
    punctuation and the English articles; of several references the best counts.

    Source: Rajpurkar et al. 2016 (SQuAD).

    Attributes:
        how: ``lora``, or ``full`` fine-tuning of head and body.
        epochs: Passes over the training questions.
        learning_rate: AdamW's; 5e-5 for ``full`` and 5e-4 for ``lora`` when not given.
        batch_size: Windows in a batch.
        layer: The layer whose states are read; -1 is the last one.
        max_length: Longest window in tokens, with the question.
        stride: How many tokens of the context two windows share at least.
        longest_answer: Most tokens in an answer.
        on_leak: Whether test questions that are training questions too are refused, or dropped from training.
    """

    name: ClassVar[str] = "question_answering"
    files: ClassVar[Mapping[str, InputFile]] = {
        "train": InputFile("questions to train on: SQuAD's JSON"),
        "dev": InputFile("questions that choose the epoch", required=False),
        "test": InputFile("questions to score"),
    }
    shortest: ClassVar[int] = 16
    how: Literal["lora", "full"] = "full"
    epochs: int = 2
    max_length: int = 384
    stride: int = 128
    longest_answer: int = 30

    def __post_init__(self) -> None:
        """Refuse settings with which nothing can be trained or scored."""
        super().__post_init__()
        if self.longest_answer < 1 or not 0 <= self.stride < self.max_length:
            raise ValueError("longest_answer must be at least 1, stride from 0 to max_length")

    def read(self, files: Files) -> SplitData[Question]:
        """Read questions, and keep training and test questions apart.

        Raises:
            LexigraftError: Files that are not in the format of SQuAD, or test questions that are trained on.
        """
        sides = {name: read_squad(files[name]) for name in self.files if files.get(name)}
        train, test, dev = sides["train"], sides["test"], sides.get("dev", [])
        train, dev, notes = without_leaks(train, dev, test, lambda q: f"{q.question}\n{q.context}", self.on_leak)
        return SplitData(
            hash=hash_of([train, dev, test]),
            size=len(test),
            unseen=tuple(dict.fromkeys(text for q in test for text in (*q.context.splitlines(), q.question))),
            notes=tuple(notes),
            train=train,
            dev=dev,
            test=test,
        )

    def sample(self, folder: Path) -> Sample:
        """Write questions about a house by a river in three files of SQuAD's form."""
        import json

        parts = {"train": ("old", "new", "red"), "dev": ("small",), "test": ("large", "blue")}
        for name, words in parts.items():
            paragraphs = []
            for word in words:
                context = f"The river runs past the {word} house in the town."
                answer = {"text": f"{word} house", "answer_start": context.index(word)}
                asked = {"id": word, "question": f"What is the {word} thing?", "answers": [answer]}
                paragraphs.append({"context": context, "qas": [asked]})
            content = {"version": "1.1", "data": [{"title": name, "paragraphs": paragraphs}]}
            (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        given = {name: [str(folder / f"{name}.json")] for name in parts}
        return Sample(given, {"epochs": 1, "max_length": 48, "stride": 8})

    def evaluate(
        self, model: PreTrainedModel, vocabulary: Vocabulary, data: SplitData[Question], context: EvaluationContext
    ) -> Scores:
        """Train on the training questions and answer the test questions.

        Args:
            model: The model; it is left as it was.
            vocabulary: Its vocabulary.
            data: The questions.
            context: For the seed.

        Returns:
            ``f1`` and ``exact_match``, both from 0 to 1; ``tokens_trained``.

        Raises:
            LexigraftError: As :func:`fine_tune`, or no training answer that can be read in a window.
        """
        frame, longest = frame_of(model, vocabulary), self.longest_input(model)
        train, dev, test = (
            question_windows(vocabulary, side, frame, longest, self.stride)
            for side in (data.train, data.dev, data.test)
        )
        if not (answered := [window for window in train if window.answer is not None]):
            hint = "The tokenizer drops its text, or max_length is too short"
            raise LexigraftError("no window holds the answer to its question", hint=hint)

        def scores_of(side: Sequence[Question], windows: Sequence[QuestionWindow], logits: list[Logits]) -> Scores:
            answers = self._answers(side, windows, logits)
            pairs = [(answer, [a.text for a in q.answers]) for answer, q in zip(answers, side, strict=True)]
            return Scores.of(
                {
                    "f1": ItemScores.of([word_f1(*pair) for pair in pairs]),
                    "exact_match": ItemScores.of([exact_match(*pair) for pair in pairs]),
                }
            )

        splits = [[_example(window) for window in side] for side in (answered, dev, test)]
        of_dev, of_test = partial(scores_of, data.dev, dev), partial(scores_of, data.test, test)
        return self.train_and_score(model, Head(2, "positions", spans=True), splits, context.seed, of_dev, of_test)

    def _answers(self, side: Sequence[Question], windows: Sequence[QuestionWindow], logits: list[Logits]) -> list[str]:
        """For each question the span with the highest score of all its windows."""
        best = [(-np.inf, "")] * len(side)
        for window, found in zip(windows, logits, strict=True):
            score, first, last = best_span(found, self.longest_answer)
            if score > best[window.question][0]:
                begin, end = int(window.spans[first, 0]), int(window.spans[last, 1])
                best[window.question] = (score, side[window.question].context[begin:end].strip())
        return [answer for _, answer in best]


def _example(window: QuestionWindow) -> Example:
    answer = np.array(window.answer or (0, 0), np.int64)
    return Example(window.ids, window.positions, answer, int(window.positions[0]))

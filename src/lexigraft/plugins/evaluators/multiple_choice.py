"""Multiple choice by log-likelihood: XCOPA, X-CSQA, X-CODAH, minimal pairs, or questions of one's own."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from lexigraft.core.data.choice_questions import CONNECTORS, ChoiceFormat, ChoiceQuestion, read_questions, texts_of
from lexigraft.core.data.sentence_pairs import evenly_chosen_items
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.choices import Decoder, Question, choice_share, hidden_bytes, log_likelihoods
from lexigraft.core.evaluation.evaluator import EvaluationContext, EvaluationData, Evaluator, Files, InputFile, Sample
from lexigraft.core.evaluation.frames import Bos
from lexigraft.core.evaluation.scores import ItemScores, Scores
from lexigraft.core.utils.hashing import hash_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class ChoiceData(EvaluationData):
    """Multiple-choice questions.

    Attributes:
        questions: Each is an item.
        pool: Questions of another file that examples are drawn from.
    """

    questions: Sequence[ChoiceQuestion]
    pool: Sequence[ChoiceQuestion]


@dataclass(frozen=True)
class MultipleChoice(Evaluator):
    """Multiple choice by log-likelihood: a question is right where its right answer is the most likely one.

    ``accuracy`` compares the sums of the tokens' log-likelihoods, which favor short answers; ``accuracy_bytes``
    divides each by the UTF-8 bytes of the answer (lm-evaluation-harness has both as acc and acc_bytes). Of equally
    likely answers each counts for its share. Examples (``shots``) come before the question, apart by a blank line;
    they are drawn anew for every question, from a file that shares no question with what is tested. A context that is
    too long is cut on the left. For a masked model an answer has a pseudo-likelihood: each piece is predicted from
    everything but itself and the pieces that follow it in its word.

    Minimal pairs are questions without a context whose answers are whole sentences; report their ``accuracy``.

    Source: Brown et al. 2020 (choices by likelihood); Ponti et al. 2020 (XCOPA); Lin et al. 2021 (X-CSQA, X-CODAH);
        Jumelet et al. 2025 (MultiBLiMP); Kauf and Ivanova 2023 (pseudo-likelihood for masked models).

    Attributes:
        format: What the files hold: "jsonl" (context, choices, label), "xcopa", "xcsqa", "x_codah", "minimal_pairs".
        shots: Examples before each question.
        max_questions: Most questions, chosen evenly over the file; all of them when not given.
        main: The main figure.
        language: For XCOPA, whose words for because and so are used: en, it, qu or sw.
        because: For XCOPA, what joins a premise with its cause; wins over the language's word.
        so: For XCOPA, what joins a premise with its effect; wins over the language's word.
        delimiter: What stands between a context and an answer.
        bos: The causal prefix: the tokenizer's bos, else eos ("auto"), bos or an error ("always"), or none ("never").
        decoder: How encoder-decoder models write: behind a sentinel, behind the start token ("plain"), or "auto":
            the sentinel where the tokenizer has one.
        batch_tokens: Most input tokens in one batch.
        max_length: Longest input even where the model could take more.
    """

    name: ClassVar[str] = "multiple_choice"
    aliases: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "xcopa": {"format": "xcopa"},
        "xcsqa": {"format": "xcsqa"},
        "x_codah": {"format": "x_codah"},
        "minimal_pairs": {"format": "minimal_pairs"},
        "multiblimp": {"format": "minimal_pairs"},
    }
    files: ClassVar[Mapping[str, InputFile]] = {
        "test": InputFile("questions with their right answers, in the format that the option `format` names"),
        "shots": InputFile("other questions, from which examples are drawn", required=False),
    }
    format: ChoiceFormat = "jsonl"
    shots: int = 0
    max_questions: int | None = None
    main: Literal["accuracy", "accuracy_bytes"] = "accuracy"
    language: str | None = None
    because: str | None = None
    so: str | None = None
    delimiter: str = " "
    bos: Bos = "auto"
    decoder: Decoder = "auto"
    batch_tokens: int = 8192
    max_length: int = 1024

    def __post_init__(self) -> None:
        """Refuse options that belong to no question."""
        if self.shots < 0:
            raise ValueError("shots must be at least 0")
        if self.max_questions is not None and self.max_questions < 1:
            raise ValueError("max_questions must be at least 1")
        if self.batch_tokens < 1 or self.max_length < 8:
            raise ValueError("batch_tokens must be at least 1, max_length at least 8")
        if self.language is not None and self.language not in CONNECTORS:
            known = ", ".join(CONNECTORS)
            raise ValueError(f"language is one of {known}; for '{self.language}' set because and so")

    def read(self, files: Files) -> ChoiceData:
        """Read the questions, and those that examples are drawn from.

        Args:
            files: ``test``, and ``shots`` where examples are asked for.

        Raises:
            LexigraftError: Questions that cannot be used, fewer examples than shots, or examples that are tested on.
        """
        connectors = self._connectors()
        whole = read_questions(files["test"], self.format, connectors)
        questions = evenly_chosen_items(whole, self.max_questions or len(whole))
        pool = read_questions(files["shots"], self.format, connectors) if files.get("shots") else []
        if pool and not self.shots:
            hint = "Set shots, or leave the file out"
            raise LexigraftError("examples are given but not used", ", ".join(files["shots"]), hint)
        if len(pool) < self.shots:
            hint = "Give a larger file as shots (--data shots=FILE), or set fewer shots"
            raise LexigraftError("there are fewer examples than shots", f"{len(pool)} for {self.shots}", hint)
        if shared := set(questions) & set(pool):
            first = next(question for question in questions if question in shared)
            shown = " / ".join((first.context, *first.choices))[:200]
            hint = f"Take them out of one of the files; the first one: {shown}"
            raise LexigraftError("examples are also tested on", f"{len(shared)} questions", hint)
        equal = sum(len(set(question.choices)) < len(question.choices) for question in questions)
        notes = [f"{equal} of {len(questions)} questions have two equal choices"] if equal else []
        if len(questions) < len(whole):
            notes.append(f"{len(questions):,} of {len(whole):,} questions are used, evenly chosen.")
        return ChoiceData(
            hash=hash_of({"questions": questions, "pool": pool}),
            size=len(questions),
            unseen=tuple(dict.fromkeys(texts_of(questions))),
            notes=tuple(notes),
            questions=questions,
            pool=pool,
        )

    def _connectors(self) -> dict[str, str] | None:
        own = {"cause": self.because, "effect": self.so}
        given = {relation: words for relation, words in own.items() if words is not None}
        joined = {**CONNECTORS.get(self.language or "", {}), **given}
        return joined if len(joined) == len(own) else None

    def sample(self, folder: Path) -> Sample | None:
        """Write plain questions; for the other formats there is no sample."""
        import json

        if self.format != "jsonl":
            return None
        asked = [
            {"context": f"The teacher came to the {word} with", "choices": ["books", f"no {word}"], "label": n % 2}
            for n, word in enumerate(("river", "house", "school"))
        ]
        (folder / "test.jsonl").write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")
        return Sample({"test": [str(folder / "test.jsonl")]})

    def evaluate(
        self, model: PreTrainedModel, vocabulary: Vocabulary, data: ChoiceData, context: EvaluationContext
    ) -> Scores:
        """Share of the questions whose right answer is the most likely one.

        Args:
            model: The model.
            vocabulary: Its vocabulary.
            data: The questions.
            context: The seed, which decides the examples.

        Returns:
            ``accuracy`` and ``accuracy_bytes``, the main one first; ``chance``, the accuracy of guessing;
            ``unknown_share``, the share of the answers' bytes that no known token stands for.

        Raises:
            LexigraftError: A tokenizer without the token that the model kind needs, or ids beyond the model's table.
        """
        questions = [self._with_examples(n, data, context.seed) for n in range(len(data.questions))]
        settings = {key: value for key, value in asdict(self).items() if key in _SCORING}
        scores = log_likelihoods(model, vocabulary, questions, **settings)
        sizes = [np.array([len(choice.encode()) for choice in q.choices], np.float64) for q in data.questions]
        labels = [question.label for question in data.questions]
        items = {
            "accuracy": ItemScores.of(
                [choice_share(of_one, label) for of_one, label in zip(scores, labels, strict=True)]
            ),
            "accuracy_bytes": ItemScores.of(
                [choice_share(of_one / size, label) for of_one, size, label in zip(scores, sizes, labels, strict=True)]
            ),
        }
        unknown = sum(hidden_bytes(vocabulary, questions)) / sum(float(size.sum()) for size in sizes)
        figures = {
            "chance": float(np.mean([1 / len(question.choices) for question in data.questions])),
            "unknown_share": unknown,
        }
        ordered = dict(sorted(items.items(), key=lambda item: item[0] != self.main))
        notes = [f"no known token stands for {unknown:.1%} of the answers' bytes"] if unknown else []
        return Scores.of(ordered, figures, notes)

    def _with_examples(self, n: int, data: ChoiceData, seed: int) -> Question:
        asked = data.questions[n]
        drawn = random.Random(f"{seed} {n}").sample(data.pool, self.shots)
        examples = "".join(f"{self._joined(one, one.choices[one.label])}\n\n" for one in drawn)
        delimiter = self.delimiter if asked.context else ""
        return Question(examples + asked.context, tuple(delimiter + choice for choice in asked.choices))

    def _joined(self, question: ChoiceQuestion, choice: str) -> str:
        return f"{question.context}{self.delimiter}{choice}" if question.context else choice


_SCORING = ("bos", "decoder", "batch_tokens", "max_length")

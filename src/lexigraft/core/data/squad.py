"""Questions in the format of SQuAD, and its scores."""

from __future__ import annotations

import gzip
import json
import re
import string
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lexigraft.core.data.readers import expand
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.lfs import refuse_pointers

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = frozenset(string.punctuation)


class Answer(NamedTuple):
    """An answer and the character of the context that it starts at."""

    text: str
    start: int


class Question(NamedTuple):
    """A question about a context.

    Attributes:
        id: Its id.
        context: The text that holds the answer.
        question: The question.
        answers: The answers that count as right, at least one.
    """

    id: str
    context: str
    question: str
    answers: tuple[Answer, ...]


def read_squad(paths: Sequence[str | Path]) -> list[Question]:
    """Read questions that have an answer; those that SQuAD 2.0 marks as impossible are left out.

    Args:
        paths: Files or globs, gzipped or not.

    Raises:
        LexigraftError: A missing file, JSON that is not SQuAD's, an answer that does not stand where it is said to
            start, or no question.
    """
    questions: list[Question] = []
    for path in map(Path, expand(paths)):
        refuse_pointers([path])
        try:
            opener = gzip.open if path.suffix.lower() == ".gz" else open
            with opener(path, "rt", encoding="utf-8") as file:
                questions += _questions(json.load(file), path)
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            hint = f"SQuAD has data, paragraphs, context, qas, question, answers with text and answer_start ({error})"
            raise LexigraftError("file is not in the format of SQuAD", path, hint) from None
        except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
            raise LexigraftError("file is not JSON", path, " ".join(str(error).split())[:300]) from None
    if not questions:
        raise LexigraftError("there is no question with an answer", ", ".join(map(str, paths)))
    return questions


def _questions(content: Any, path: Path) -> Iterator[Question]:
    for article in content["data"]:
        for paragraph in article["paragraphs"]:
            context = str(paragraph["context"])
            if any("\ud800" <= c <= "\udfff" for c in json.dumps(paragraph, ensure_ascii=False)):
                hint = "Text was cut inside a character; mend it"
                raise LexigraftError("text holds half of a surrogate pair", f"{path}, {ascii(context)[:60]}", hint)
            for entry in paragraph["qas"]:
                answers = tuple(Answer(str(a["text"]), int(a["answer_start"])) for a in entry["answers"])
                identity = str(entry["id"])
                for answer in answers:
                    if not answer.text or not context.startswith(answer.text, answer.start):
                        hint = f"'{answer.text[:60]}' does not stand at character {answer.start} of its context"
                        raise LexigraftError("answer is not in its context", f"{path}, question {identity}", hint)
                if answers:
                    yield Question(identity, context, str(entry["question"]), answers)


def normalized(answer: str) -> str:
    """An answer as SQuAD compares it: lower case, without punctuation and English articles, one space between words."""
    bare = "".join(c for c in answer.lower() if c not in _PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def exact_match(predicted: str, references: Sequence[str]) -> float:
    """1 where the answer is one of the references after normalization, else 0."""
    return float(any(normalized(predicted) == normalized(reference) for reference in references))


def word_f1(predicted: str, references: Sequence[str]) -> float:
    """The harmonic mean of precision and recall over words, with the reference that gives the most."""
    return max(_f1(normalized(predicted).split(), normalized(reference).split()) for reference in references)


def _f1(predicted: Sequence[str], reference: Sequence[str]) -> float:
    if not predicted or not reference:
        return float(predicted == reference)
    shared = sum((Counter(predicted) & Counter(reference)).values())
    return 2 * shared / (len(predicted) + len(reference))

"""Reader of multiple-choice questions in several formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from lexigraft.core.data.readers import text_in
from lexigraft.core.data.records import FileRecord, read_records
from lexigraft.core.errors import LexigraftError

ChoiceFormat = Literal["jsonl", "xcopa", "xcsqa", "x_codah", "minimal_pairs"]

CONNECTORS: dict[str, dict[str, str]] = {
    "en": {"cause": "because", "effect": "so"},
    "it": {"cause": "perché", "effect": "quindi"},
    "qu": {"cause": "imaraykuchus", "effect": "chayrayku"},
    "sw": {"cause": "kwa sababu", "effect": "kwa hiyo"},
}
"""What joins a premise of XCOPA with its cause and with its effect.

English as in COPA's usual prompt; Italian and Swahili are the words that lm-evaluation-harness joins with, which in
Swahili are also the most frequent ones in news text (kwa sababu 654 times, kwa hiyo 254 times in 30,782 lines). The
Quechua words are those that Southern Quechua web and book text uses for these relations (imaraykuchus 99 times,
chayrayku 203 times in 63,797 lines); lm-evaluation-harness joins with imataq, a question word, and chaymi.
"""


class ChoiceQuestion(NamedTuple):
    """A question with its possible answers.

    Attributes:
        context: What comes before the answer; may be empty.
        choices: The answers, without surrounding white space.
        label: The index of the right one.
    """

    context: str
    choices: tuple[str, ...]
    label: int


def read_questions(
    paths: Sequence[str], form: ChoiceFormat, connectors: Mapping[str, str] | None = None
) -> list[ChoiceQuestion]:
    """Read the questions of files.

    - ``jsonl``: ``context``, ``choices`` (a list of texts), ``label`` (the index of the right one).
    - ``xcopa``: ``premise``, ``choice1``, ``choice2``, ``question`` (cause or effect), ``label``, as published by
      cambridgeltl. The context is the premise without its full stop and a connector; choices begin with a small letter.
    - ``xcsqa``: ``question`` with ``stem`` and ``choices`` (a ``label`` and a ``text`` each), ``answerKey``, as
      published by INK-USC. The context is "Question: STEM", a line break, and "Answer:", as in LEIA's evaluation.
    - ``x_codah``: the same fields; the stem is a blank, so there is no context, and the choices are whole texts.
    - ``minimal_pairs``: ``sen`` and ``wrong_sen`` (MultiBLiMP's tables) or ``sentence_good`` and ``sentence_bad``
      (BLiMP's JSON lines). There is no context.

    Args:
        paths: The files.
        form: Their format.
        connectors: For XCOPA, what joins a premise with its ``cause`` and with its ``effect``.

    Raises:
        LexigraftError: No question, a missing field, fewer than two choices, an empty choice, or no label, as in
            published test files whose labels are kept hidden.
    """
    if form == "xcopa" and connectors is None:
        raise LexigraftError(
            "XCOPA needs words for because and so",
            hint=f"Set language to one of {', '.join(CONNECTORS)}, or set because and so",
        )
    records = read_records(paths, _FIELDS[form])
    found = [_checked(_READERS[form](record, connectors or {}), record.where) for record in records]
    if not found:
        raise LexigraftError("there is no question", ", ".join(paths), "Give a file with at least one")
    return found


def _checked(question: ChoiceQuestion, where: str) -> ChoiceQuestion:
    if len(question.choices) < 2:
        raise LexigraftError("question has fewer than two choices", where)
    if not all(question.choices):
        raise LexigraftError("a choice is empty", where, "Leave the question out")
    if not 0 <= question.label < len(question.choices):
        hint = f"It must be from 0 to {len(question.choices) - 1}; labels of test files are often hidden (-1)"
        raise LexigraftError("label is none of the choices", f"{where}: {question.label}", hint)
    return question


def _index(record: FileRecord) -> int:
    label = record.values["label"]
    if isinstance(label, str) and label.isdecimal():
        label = int(label)
    if not isinstance(label, int) or isinstance(label, bool):
        hint = "Give the number of the right choice, from 0"
        raise LexigraftError("label is no index", f"{record.where}: {label!r}", hint)
    return label


def _plain(record: FileRecord, _: Mapping[str, str]) -> ChoiceQuestion:
    choices = record.values["choices"]
    if not isinstance(choices, list):
        raise LexigraftError("choices are no list", record.where, 'Give {"choices": ["one", "another"]}')
    texts = tuple(text_in({"choices": choice}, "choices", record.where).strip() for choice in choices)
    return ChoiceQuestion(text_in(record.values, "context", record.where), texts, _index(record))


def _xcopa(record: FileRecord, connectors: Mapping[str, str]) -> ChoiceQuestion:
    premise, one, two = (text_in(record.values, key, record.where).strip() for key in ("premise", "choice1", "choice2"))
    relation = record.values["question"]
    if relation not in ("cause", "effect"):
        raise LexigraftError("XCOPA asks for a cause or an effect", f"{record.where}: {relation!r}")
    joined = f"{premise.removesuffix('.')} {connectors[relation]}"
    return ChoiceQuestion(joined, tuple(text[:1].lower() + text[1:] for text in (one, two)), _index(record))


def _x_csr(record: FileRecord) -> tuple[str, tuple[str, ...], int]:
    """Stem, choices and the index of the right one in a record of X-CSR."""
    where, question, key = record.where, record.values["question"], record.values["answerKey"]
    if not isinstance(question, dict) or "choices" not in question:
        raise LexigraftError("question has no choices", where, 'Give {"question": {"stem": …, "choices": […]}, …}')
    choices = question["choices"]
    if isinstance(choices, dict):  # as the datasets package writes a list of records
        choices = [dict(zip(choices, values, strict=False)) for values in zip(*choices.values(), strict=False)]
    if not isinstance(choices, list) or not all(isinstance(c, dict) and "label" in c for c in choices):
        raise LexigraftError("a choice is no object with label and text", where)
    texts = tuple(text_in(choice, "text", where).strip() for choice in choices)
    labels = [choice["label"] for choice in choices]
    if key not in labels:
        hint = f"It is one of {', '.join(map(str, labels))}; test files hide it: use the validation file"
        raise LexigraftError("answerKey names no choice", f"{where}: {key!r}", hint)
    return text_in(question, "stem", where).strip(), texts, labels.index(key)


def _xcsqa(record: FileRecord, _: Mapping[str, str]) -> ChoiceQuestion:
    stem, texts, label = _x_csr(record)
    return ChoiceQuestion(f"Question: {stem}\nAnswer:", texts, label)


def _x_codah(record: FileRecord, _: Mapping[str, str]) -> ChoiceQuestion:
    stem, texts, label = _x_csr(record)
    return ChoiceQuestion(stem, texts, label)


def _pair(record: FileRecord, _: Mapping[str, str]) -> ChoiceQuestion:
    keys = ("sentence_good", "sentence_bad") if "sentence_good" in record.values else ("sen", "wrong_sen")
    good, bad = (text_in(record.values, key, record.where).strip() for key in keys)
    return ChoiceQuestion("", (good, bad), 0)


_READERS: dict[ChoiceFormat, Callable[[FileRecord, Mapping[str, str]], ChoiceQuestion]] = {
    "jsonl": _plain,
    "xcopa": _xcopa,
    "xcsqa": _xcsqa,
    "x_codah": _x_codah,
    "minimal_pairs": _pair,
}
_FIELDS: dict[ChoiceFormat, tuple[str, ...]] = {
    "jsonl": ("context", "choices", "label"),
    "xcopa": ("premise", "choice1", "choice2", "question", "label"),
    "xcsqa": ("question", "answerKey"),
    "x_codah": ("question", "answerKey"),
    "minimal_pairs": (),
}


def texts_of(questions: Sequence[ChoiceQuestion]) -> Iterator[str]:
    """Every context and choice that is not empty."""
    for question in questions:
        yield from filter(str.strip, (question.context, *question.choices))

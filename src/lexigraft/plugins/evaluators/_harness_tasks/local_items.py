"""Items of multiple choice tasks from local JSON lines, as data sets of the lm-evaluation-harness."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lexigraft.core.data.readers import numbered_lines
from lexigraft.core.errors import LexigraftError

Item = dict[str, Any]


def question_items(test: Sequence[str] = (), shots: Sequence[str] = (), **others: Any) -> dict[str, Any]:
    """Items of X-CSQA and X-CODAH: a stem, choices, and the label of the right one.

    A line is ``{"question": {"stem": ..., "choices": ...}, "answerKey": "A"}``; choices are a list of
    ``{"label": ..., "text": ...}`` or one such mapping of lists.

    Args:
        test: Files of the items.
        shots: Files of the items that few-shot examples are drawn from.
        **others: What the harness passes besides.

    Returns:
        Data sets ``test`` and ``shots`` with the columns ``context``, ``choices`` and ``answer``.

    Raises:
        LexigraftError: No files, or a line that is no such item.
    """
    return _data_sets(test, shots, _question)


def premise_items(
    test: Sequence[str] = (), shots: Sequence[str] = (), cause: str = "", effect: str = "", **others: Any
) -> dict[str, Any]:
    """Items of XCOPA: a premise, and two alternatives for its cause or its effect.

    A line is ``{"premise": ..., "question": "cause" or "effect", "choice1": ..., "choice2": ..., "label": 0 or 1}``.
    The premise loses its final stop and is continued by a word for *because* or *so*; alternatives start in lower case.

    Args:
        test: Files of the items.
        shots: Files of the items that few-shot examples are drawn from.
        cause: The language's word for *because*.
        effect: Its word for *so*.
        **others: What the harness passes besides.

    Returns:
        Data sets ``test`` and ``shots`` with the columns ``context``, ``choices`` and ``answer``.

    Raises:
        LexigraftError: No words or files, or a line that is no such item.
    """
    words = {"cause": cause, "effect": effect}
    if not all(words.values()):
        hint = "For English --set 'metadata={cause: because, effect: so}'"
        raise LexigraftError("the language's words for because and so are not given", hint=hint)

    def read(values: Mapping[str, Any]) -> Item:
        premise = values["premise"].strip().rstrip(".。।")
        choices = [values[name][:1].lower() + values[name][1:] for name in ("choice1", "choice2")]
        return {"context": f"{premise} {words[values['question']]}", "choices": choices, "answer": values["label"]}

    return _data_sets(test, shots, read)


def _question(values: Mapping[str, Any]) -> Item:
    question = values["question"]
    choices = question["choices"]
    if isinstance(choices, Mapping):
        choices = [
            {"label": label, "text": text} for label, text in zip(choices["label"], choices["text"], strict=True)
        ]
    labels = [choice["label"] for choice in choices]
    answer = labels.index(values["answerKey"])
    return {"context": question.get("stem", ""), "choices": [choice["text"] for choice in choices], "answer": answer}


def _data_sets(test: Sequence[str], shots: Sequence[str], read: Callable[[Mapping[str, Any]], Item]) -> dict[str, Any]:
    from datasets import Dataset

    if not test:
        raise LexigraftError("this task reads local files, and none is given", hint="Name one with --data test=FILE")
    items = {"test": list(_items(test, read)), "shots": list(_items(shots, read))}
    if not items["test"]:
        raise LexigraftError("there are no items to score", ", ".join(test), "Give a file with one item in each line")
    tested = {json.dumps(item) for item in items["test"]}
    if shared := sum(json.dumps(item) in tested for item in items["shots"]):
        hint = "Take few-shot examples from another file than the items that are scored"
        raise LexigraftError("few-shot examples are also test items", f"{shared} of {len(items['shots'])}", hint)
    return {split: Dataset.from_list(found) for split, found in items.items()}


def _items(paths: Sequence[str], read: Callable[[Mapping[str, Any]], Item]) -> Iterator[Item]:
    for path in paths:
        for number, line in numbered_lines(Path(path).expanduser()):
            if not line.strip():
                continue
            try:
                item = read(json.loads(line))
                right = item["answer"]
                whole = isinstance(right, int) and 0 <= right < len(item["choices"]) and all(item["choices"])
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                raise _refused(path, number, f"{type(error).__name__}: {error}") from None
            if not whole:
                raise _refused(path, number, "an empty choice, or an answer that is none of them")
            yield item


def _refused(path: str, number: int, reason: str) -> LexigraftError:
    return LexigraftError("this line is no item of the task", f"{path}, line {number}", reason[:300])

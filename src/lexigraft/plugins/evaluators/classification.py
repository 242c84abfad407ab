"""Classification of a text, or of a pair of texts (natural-language inference)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np

from lexigraft.core.data.item_splits import without_leaks
from lexigraft.core.data.records import read_text_records
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, Files, InputFile, Sample
from lexigraft.core.evaluation.frames import frame_of
from lexigraft.core.evaluation.heads.head_evaluator import HeadEvaluator, LabeledData
from lexigraft.core.evaluation.heads.text_sequences import TextSequence, text_sequences
from lexigraft.core.evaluation.heads.trained_head import Example, Head, Logits
from lexigraft.core.evaluation.label_scores import label_scores
from lexigraft.core.evaluation.scores import Scores
from lexigraft.core.utils.hashing import hash_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary


class LabeledText(NamedTuple):
    """A text (or a pair of texts) with its label."""

    texts: tuple[str, ...]
    label: str

    @property
    def said(self) -> str:
        """What is classified, without the label."""
        return "\n".join(self.texts)


@dataclass(frozen=True)
class Classification(HeadEvaluator):
    """The class of a text, or of a pair of texts, predicted by a head that is trained; accuracy is the main figure.

    The head reads one state of the whole text: the mean over its tokens, the first token's (``cls``), or the last
    token's. Training texts may be in another language than the test texts: the result is then zero-shot transfer.

    Source: Adelani et al. 2024 (SIB-200); Ebrahimi et al. 2022 (AmericasNLI).

    Attributes:
        text: The column of the text, or of the first text of a pair.
        second_text: The column of the second text; none for single texts.
        label: The column of the class.
        how: A ``probe`` on frozen states, ``lora``, or ``full`` fine-tuning of head and body.
        epochs: Passes over the training texts.
        learning_rate: AdamW's; 5e-5 for ``full`` and 5e-4 for ``lora`` when not given.
        batch_size: Texts in a batch.
        layer: The layer whose states are read; -1 is the last one.
        pooling: What the head reads: ``mean``, ``first`` or ``last``.
        uneven_labels: Whether classes that are not in every split are refused, or counted.
        on_leak: Whether test texts that are training texts too are refused, or dropped from training.
        max_length: Longest input in tokens; the longer text of a pair is cut first.
    """

    name: ClassVar[str] = "classification"
    files: ClassVar[Mapping[str, InputFile]] = {
        "train": InputFile("texts to train on: a table (.tsv, .csv, .jsonl, .parquet) with named columns"),
        "dev": InputFile("texts that choose the epoch or the penalty", required=False),
        "test": InputFile("texts to score"),
    }
    aliases: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sib200": {"text": "text", "label": "category"},
        "nli": {"text": "premise", "second_text": "hypothesis", "label": "label"},
    }
    text: str = "text"
    second_text: str | None = None
    label: str = "label"
    pooling: Literal["mean", "first", "last"] = "mean"
    uneven_labels: Literal["refuse", "count"] = "refuse"

    def read(self, files: Files) -> LabeledData[LabeledText]:
        """Read texts with their classes, and keep training and test texts apart.

        Raises:
            LexigraftError: An empty text or class, classes that are not in every split, test texts that are trained
                on, or one class only.
        """
        sides = {name: self._texts(files[name]) for name in self.files if files.get(name)}
        train, test, dev = sides["train"], sides["test"], sides.get("dev", [])
        train, dev, notes = without_leaks(train, dev, test, lambda item: item.said, self.on_leak)
        if repeated := len(test) - len({item.said for item in test}):
            notes.append(f"{repeated} test texts are repetitions")
        labels = sorted({item.label for item in train})
        if len(labels) < 2:
            raise LexigraftError("the training texts have one class only", ", ".join(labels))
        notes += self._compared_labels(labels, {"dev": dev, "test": test})
        return LabeledData(
            hash=hash_of([train, dev, test]),
            size=len(test),
            unseen=tuple(dict.fromkeys(text for item in test for text in item.texts)),
            notes=tuple(notes),
            train=train,
            dev=dev,
            test=test,
            labels=tuple(labels),
        )

    def _texts(self, paths: Sequence[str]) -> list[LabeledText]:
        texts = [self.text] if self.second_text is None else [self.text, self.second_text]
        read: list[LabeledText] = []
        hint = "Name the columns with --set text=… and --set label=…, or use the presets sib200 or nli"
        for record in read_text_records(paths, [*texts, self.label], hint):
            if empty := [column for column in [*texts, self.label] if not record.values[column]]:
                raise LexigraftError(f"column '{empty[0]}' is empty", record.where, "Mend the record, or leave it out")
            read.append(LabeledText(tuple(record.values[column] for column in texts), record.values[self.label]))
        if not read:
            raise LexigraftError("there is no labeled text", ", ".join(map(str, paths)))
        return read

    def _compared_labels(self, labels: Sequence[str], tested: Mapping[str, Sequence[LabeledText]]) -> list[str]:
        notes = []
        for side, items in tested.items():
            found = Counter(item.label for item in items)
            unseen, empty = sorted(set(found) - set(labels)), sorted(set(labels) - set(found))
            if not items or not (unseen or empty):
                continue
            if self.uneven_labels == "refuse":
                without = f"classes without a {side} text"
                what = f"{side} texts have classes without a training text" if unseen else without
                hint = "Give splits with the same classes, or set uneven_labels=count"
                raise LexigraftError(what, ", ".join(unseen or empty), hint)
            if unseen:
                count = sum(found[label] for label in unseen)
                notes.append(f"{count} {side} texts have classes that no training text has: {', '.join(unseen)}")
            if empty:
                notes.append(f"classes without a {side} text: {', '.join(empty)}")
        return notes

    def sample(self, folder: Path) -> Sample:
        """Write short texts on two subjects in three files with the columns that the options name."""
        subjects = {"place": "the river runs past the old house", "people": "the teacher came to the school"}
        columns = [self.text, *([self.second_text] if self.second_text else []), self.label]
        rows = [
            [*[f"{text} on day {n} of {part}" for part in columns[:-1]], subject]
            for n in range(8)
            for subject, text in subjects.items()
        ]
        parts = {"train": rows[:10], "dev": rows[10:12], "test": rows[12:]}
        for name, part in parts.items():
            lines = ["\t".join(cells) for cells in (columns, *part)]
            (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return Sample({name: [str(folder / f"{name}.tsv")] for name in parts}, {"how": "probe"})

    def evaluate(
        self,
        model: PreTrainedModel,
        vocabulary: Vocabulary,
        data: LabeledData[LabeledText],
        context: EvaluationContext,
    ) -> Scores:
        """Train a classifier on the training texts and score it on the test texts.

        Args:
            model: The model; it is left as it was.
            vocabulary: Its vocabulary.
            data: The texts.
            context: For the seed.

        Returns:
            ``accuracy``; ``macro_f1``; ``chance``, the share of the largest class among the test texts;
            ``unknown_share``, the share of the test texts' bytes that the tokenizer cannot express; ``tokens_trained``.

        Raises:
            LexigraftError: As :func:`fine_tune`.
        """
        frame, longest = frame_of(model, vocabulary), self.longest_input(model)
        train, dev, test = (
            text_sequences(vocabulary, [item.texts for item in side], frame, longest)
            for side in (data.train, data.dev, data.test)
        )
        index = {label: n for n, label in enumerate(data.labels)}
        head = Head(len(data.labels), self.pooling)

        def examples(side: Sequence[LabeledText], sequences: Sequence[TextSequence]) -> list[Example]:
            return [
                Example(s.ids, s.positions, np.array([index.get(item.label, -1)]), s.second)
                for item, s in zip(side, sequences, strict=True)
            ]

        def scores_of(side: Sequence[LabeledText], logits: Sequence[Logits]) -> Scores:
            predicted = [[data.labels[int(found.argmax())]] for found in logits]
            return label_scores([[item.label] for item in side], predicted)

        def of_test(logits: list[Logits]) -> Scores:
            scores = scores_of(data.test, logits)
            named = {"training": train, "dev": dev, "test": test}
            cut = [f"{s.cut} {name} texts were cut to {longest} tokens" for name, s in named.items() if s.cut]
            return replace(scores, figures={**scores.figures, "unknown_share": test.unknown_share}, notes=tuple(cut))

        splits = [
            examples(data.train, train.sequences),
            examples(data.dev, dev.sequences),
            examples(data.test, test.sequences),
        ]
        of_dev = partial(scores_of, data.dev)
        return self.train_and_score(model, head, splits, context.seed, of_dev, of_test)

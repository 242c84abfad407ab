"""Tagging of words: part-of-speech tags, or named entities by BIO labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from lexigraft.core.data.bio import OUTSIDE, entities, is_bio, repaired
from lexigraft.core.data.item_splits import distinct, split_by_content, without_leaks
from lexigraft.core.data.tagged_text import TaggedSentence, read_tagged
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, Files, InputFile, Sample
from lexigraft.core.evaluation.frames import frame_of
from lexigraft.core.evaluation.heads.head_evaluator import HeadEvaluator, LabeledData
from lexigraft.core.evaluation.heads.trained_head import Example, Head, Logits
from lexigraft.core.evaluation.heads.word_pieces import Piece, WordWindow, word_windows
from lexigraft.core.evaluation.label_scores import entity_scores, label_scores
from lexigraft.core.evaluation.scores import Scores
from lexigraft.core.utils.hashing import hash_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True)
class Tagging(HeadEvaluator):
    """Part-of-speech tags (accuracy) or named entities (micro-F1), predicted for each word by a head that is trained.

    A word's label is predicted at its first or its last piece. Causal models see nothing that follows a piece, so for
    them ``last`` reads whole words. Sentences are split, never words. Entities count where type and span agree, by
    strict IOB2; a word that the tokenizer gives no piece gets no label (``O`` among entities).

    Source: Tjong Kim Sang and De Meulder 2003 (entities); Nivre et al. 2020 (universal part-of-speech tags).

    Attributes:
        labels: ``plain`` labels, or ``bio`` for entities.
        how: A ``probe`` on frozen states, ``lora``, or ``full`` fine-tuning of head and body.
        epochs: Passes over the training sentences.
        learning_rate: AdamW's; 5e-5 for ``full`` and 5e-4 for ``lora`` when not given.
        batch_size: Sentences in a batch.
        layer: The layer whose states are read; -1 is the last one.
        piece: The piece that a word is read at.
        broken: Whether ``I-`` labels that continue nothing are repaired to ``B-``, or refused.
        unseen_labels: Whether labels that only test sentences have are refused, or counted (they cannot be predicted).
        on_leak: Whether test sentences that are training sentences too are refused, or dropped from training.
        test_share: Expected share of test sentences where ``data`` is split.
        max_length: Longest input in tokens; longer sentences are cut between words.
    """

    name: ClassVar[str] = "tagging"
    files: ClassVar[Mapping[str, InputFile]] = {
        "train": InputFile("sentences to train on: CoNLL-U, or a word and its label a line", required=False),
        "dev": InputFile("sentences that choose the epoch or the penalty", required=False),
        "test": InputFile("sentences to score", required=False),
        "data": InputFile("sentences that are split into training and test sentences", required=False),
    }
    aliases: ClassVar[Mapping[str, Mapping[str, Any]]] = {"pos": {"labels": "plain"}, "ner": {"labels": "bio"}}
    labels: Literal["plain", "bio"] = "plain"
    piece: Piece = "first"
    broken: Literal["repair", "refuse"] = "repair"
    unseen_labels: Literal["refuse", "count"] = "refuse"
    test_share: float = 0.2

    def __post_init__(self) -> None:
        """Refuse settings with which nothing can be trained or scored."""
        super().__post_init__()
        if not 0 < self.test_share < 1:
            raise ValueError("test_share must lie between 0 and 1")

    def read(self, files: Files) -> LabeledData[TaggedSentence]:
        """Read sentences, repair or refuse their labels, and keep training and test sentences apart.

        Raises:
            LexigraftError: Files that do not go together, labels that are not of the kind asked for, test sentences
                that are trained on, labels that cannot be learned, or nothing to score.
        """
        train, dev, test, notes = self._split(files)
        if self.labels == "bio" and not any(entities(s.labels) for s in test):
            raise LexigraftError("the test sentences hold no entity", hint="Give BIO labels, or use labels=plain")
        known = sorted({label for s in train for label in s.labels})
        if len(known) < 2:
            raise LexigraftError("the training sentences have one label only", ", ".join(known))
        counts = Counter(label for s in test for label in s.labels)
        if unseen := sorted(set(counts) - set(known)):
            if self.unseen_labels == "refuse":
                hint = "Give training sentences that have them, or set unseen_labels=count, which counts them as wrong"
                raise LexigraftError("labels occur in the test sentences only", ", ".join(unseen), hint)
            words = sum(counts[label] for label in unseen)
            notes.append(f"{words} test words have labels that no training word has: {', '.join(unseen)}")
        return LabeledData(
            hash=hash_of([[[s.words, s.labels] for s in side] for side in (train, dev, test)]),
            size=len(test),
            unseen=tuple(dict.fromkeys(text for s in test for text in (s.text, " ".join(s.words)))),
            notes=tuple(notes),
            train=train,
            dev=dev,
            test=test,
            labels=tuple(known),
        )

    def _split(
        self, files: Files
    ) -> tuple[list[TaggedSentence], list[TaggedSentence], list[TaggedSentence], list[str]]:
        given = {name for name, paths in files.items() if paths}
        if given not in ({"data"}, {"train", "test"}, {"train", "dev", "test"}):
            raise LexigraftError(
                "these files do not go together",
                ", ".join(sorted(given)) or "none",
                "Give train and test (and dev where there is one), or data alone, which is split by sentence; "
                "on the command line a file without a name is test, so write data=FILE",
            )
        notes: list[str] = []
        sides = {name: self._checked(read_tagged(files[name]), name, notes) for name in sorted(given)}
        if "data" in sides:
            items, repeated = distinct(sides["data"], lambda s: (s.words, s.labels))
            train, test = split_by_content(items, _said, self.test_share)
            notes.append(f"{len(train)} sentences to train on, {len(test)} to score; {repeated} repeated ones left out")
            return train, [], test, notes
        test, dev = sides["test"], sides.get("dev", [])
        train, dev, dropped = without_leaks(sides["train"], dev, test, _said, self.on_leak)
        return train, dev, test, [*notes, *dropped]

    def _checked(self, sentences: Sequence[TaggedSentence], side: str, notes: list[str]) -> list[TaggedSentence]:
        if self.labels == "plain":
            return list(sentences)
        if odd := sorted({label for s in sentences for label in s.labels if not is_bio(label)}):
            hint = "Labels of entities are O, B-TYPE and I-TYPE; use labels=plain (pos) for others"
            raise LexigraftError("labels are not BIO", ", ".join(odd[:5]), hint)
        mended = [repaired(s.labels) for s in sentences]
        if broken := sum(count for _, count in mended):
            if self.broken == "refuse":
                hint = "They are I- labels that continue no entity; mend them, or set broken=repair"
                raise LexigraftError(f"broken BIO labels ({side})", broken, hint)
            notes.append(f"{broken} broken BIO labels repaired ({side}): I- that continued nothing became B-")
        return [s._replace(labels=labels) for s, (labels, _) in zip(sentences, mended, strict=True)]

    def sample(self, folder: Path) -> Sample:
        """Write sentences of a few words, with labels of either kind, in three files."""
        nouns = ("river", "house", "market", "bread", "school", "teacher", "town", "book")
        label = "NOUN" if self.labels == "plain" else "B-LOC"
        other = "DET" if self.labels == "plain" else "O"
        sentences = [f"the\t{other}\n{one}\t{label}\nand\t{other}\n{two}\t{label}\n" for one in nouns for two in nouns]
        parts = {"train": sentences[:12], "dev": sentences[20:22], "test": sentences[30:33]}
        for name, part in parts.items():
            (folder / f"{name}.tsv").write_text("\n".join(part), encoding="utf-8")
        return Sample({name: [str(folder / f"{name}.tsv")] for name in parts}, {"how": "probe"})

    def evaluate(
        self,
        model: PreTrainedModel,
        vocabulary: Vocabulary,
        data: LabeledData[TaggedSentence],
        context: EvaluationContext,
    ) -> Scores:
        """Train a tagger on the training sentences and score it on the test sentences.

        Args:
            model: The model; it is left as it was.
            vocabulary: Its vocabulary.
            data: The sentences.
            context: For the seed.

        Returns:
            ``f1``, ``precision`` and ``recall`` of entities, or ``accuracy``, ``macro_f1`` and ``chance`` of tags;
            ``f1_most_frequent_tag`` or ``accuracy_most_frequent_tag``, what a table of each training word's most
            frequent tag gets without any model; ``unknown_words``, the share of test words that the tokenizer cannot
            express; ``tokens_trained``.

        Raises:
            LexigraftError: As :func:`fine_tune`, or no training word that the tokenizer can express.
        """
        frame, longest = frame_of(model, vocabulary), self.longest_input(model)
        index = {label: n for n, label in enumerate(data.labels)}
        windows: list[list[WordWindow]] = []
        examples: list[list[Example]] = []
        for side in (data.train, data.dev, data.test):
            found, lost = word_windows(vocabulary, [s.words for s in side], frame, longest, self.piece)
            windows.append(found)
            examples.append([_example(window, side[window.sentence], index) for window in found])
        if not examples[0]:
            raise LexigraftError("the tokenizer cannot express one training word", hint="It belongs to another script")
        score = entity_scores if self.labels == "bio" else label_scores

        def scores_of(side: Sequence[TaggedSentence], of_side: Sequence[WordWindow], logits: list[Logits]) -> Scores:
            predicted = self._predicted(side, of_side, logits, data.labels)
            return score([s.labels for s in side], predicted)

        def of_test(logits: list[Logits]) -> Scores:
            scores = scores_of(data.test, windows[2], logits)
            unknown = sum(map(len, lost)) / sum(len(s.words) for s in data.test)
            baseline = score([s.labels for s in data.test], _most_frequent_tags(data.train, data.test))
            floor = {f"{scores.main}_most_frequent_tag": baseline.figures[scores.main]}
            return replace(scores, figures={**scores.figures, **floor, "unknown_words": unknown})

        head = Head(len(data.labels), "positions")
        of_dev = partial(scores_of, data.dev, windows[1])
        return self.train_and_score(model, head, examples, context.seed, of_dev, of_test)

    def _predicted(
        self, side: Sequence[TaggedSentence], windows: Sequence[WordWindow], logits: list[Logits], names: Sequence[str]
    ) -> list[list[str]]:
        labels = [[OUTSIDE if self.labels == "bio" else ""] * len(s.words) for s in side]
        for window, found in zip(windows, logits, strict=True):
            for word, label in zip(window.words.tolist(), found.argmax(1).tolist(), strict=True):
                labels[window.sentence][word] = names[label]
        return labels


def _most_frequent_tags(train: Sequence[TaggedSentence], test: Sequence[TaggedSentence]) -> list[list[str]]:
    """Labels by a table: each word's most frequent one in training, and the most frequent of all for other words."""
    by_word: dict[str, Counter[str]] = {}
    for sentence in train:
        for word, label in zip(sentence.words, sentence.labels, strict=True):
            by_word.setdefault(word, Counter())[label] += 1
    common = Counter(label for sentence in train for label in sentence.labels).most_common(1)[0][0]
    table = {word: counts.most_common(1)[0][0] for word, counts in by_word.items()}
    return [[table.get(word, common) for word in sentence.words] for sentence in test]


def _said(sentence: TaggedSentence) -> str:
    return " ".join(sentence.words)


def _example(window: WordWindow, sentence: TaggedSentence, index: Mapping[str, int]) -> Example:
    labels = np.array([index.get(sentence.labels[word], -1) for word in window.words], np.int64)
    return Example(window.ids, window.positions, labels, len(window.ids))

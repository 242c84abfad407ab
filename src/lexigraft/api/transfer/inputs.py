"""Texts and tasks of a transfer study: donors' training text without a line that any target is measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lexigraft.api.tasks import Task, read_tasks
from lexigraft.core.config.transfer_recipe import TransferSettings
from lexigraft.core.data.corpus import Corpus, evenly_chosen, load_corpus, without
from lexigraft.core.data.ngram_overlap import refuse_copied_text
from lexigraft.core.errors import LexigraftError


@dataclass(frozen=True)
class TransferTexts:
    """The texts of a transfer study.

    Attributes:
        train: Training text by donor, and of targets that have some; no line of it is measured on.
        heldout: The lines that are measured on, by target.
        tasks: The tasks of all targets, named ``TARGET.TASK``.
    """

    train: Mapping[str, Corpus]
    heldout: Mapping[str, Corpus]
    tasks: tuple[Task, ...]

    @property
    def unseen(self) -> frozenset[str]:
        """Every line that models are measured on."""
        texts = [text.lines for text in self.heldout.values()]
        return frozenset(line for lines in (*texts, *(task.data.unseen for task in self.tasks)) for line in lines)


def load_transfer_texts(recipe: TransferSettings) -> TransferTexts:
    """Read the texts and tasks; the same recipe and files give the same texts.

    Raises:
        LexigraftError: Missing or empty files, a donor of which nothing is left once the measured lines are out, or one
            that shares long word sequences with them.
    """
    field, limit = recipe.text_field, recipe.heldout_lines
    heldout = {
        name: evenly_chosen(load_corpus(target.heldout, text_field=field), limit)
        for name, target in recipe.targets.items()
    }
    tasks = read_tasks(recipe.task_options())
    measured = Corpus.of(line for text in heldout.values() for line in text.lines)
    tested = Corpus.of(line for task in tasks for line in task.data.unseen)
    train = {
        name: load_corpus(donor.train, text_field=field, limit_lines=donor.limit_lines)
        for name, donor in recipe.donors.items()
    }
    train |= {name: load_corpus(t.train, text_field=field) for name, t in recipe.targets.items() if t.train}
    cleaned = {}
    for name, text in train.items():
        try:
            cleaned[name] = without(without(text, measured), tested)
        except LexigraftError as error:
            raise LexigraftError(f"text of {name}: {error.what}", error.value, error.hint) from None
    for name in recipe.donors:
        for target, text in heldout.items():
            refuse_copied_text(
                text.lines, cleaned[name].lines, evaluation_name=f"held-out text of {target}",
                training_name=f"text of {name}",
            )  # fmt: skip
    return TransferTexts(cleaned, heldout, tasks)

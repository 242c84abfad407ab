"""What a recipe asks for: stages that cells share, then the cells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """Something that cells share.

    Attributes:
        id: Its name: ``tokenizer``, ``poor_model``, ``comparison``, or a need such as ``target_vectors``.
        words: What it makes.
        after: The stages whose results it takes.
        address: Its name with the hash of everything that makes it; None until the stages before it are done.
        done: Whether it is made.
    """

    id: str
    words: str
    after: tuple[str, ...]
    address: str | None
    done: bool


@dataclass(frozen=True)
class PlannedCell:
    """A cell that is to run.

    Attributes:
        id: ``label-sSEED``; what ``lexigraft cell run --cell`` takes.
        label: The label of its strategy or donor.
        seed: The seed.
        key: The hash of everything that makes its result; None until the stages before it are done.
        after: The stages whose results it takes.
        done: Whether its result is there.
    """

    id: str
    label: str
    seed: int
    key: str | None
    after: tuple[str, ...]
    done: bool


@dataclass(frozen=True)
class Plan:
    """Everything that a recipe asks for: the stages in an order in which they can run, then the cells."""

    name: str
    stages: tuple[Stage, ...]
    cells: tuple[PlannedCell, ...]

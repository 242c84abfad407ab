"""Arms of a comparison, with controls without augmentation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lexigraft.core.config.adaptation import AdaptSettings
    from lexigraft.core.config.strategy_entries import Calibration, StrategySettings

AUGMENTED, PLAIN = "augmented", "plain"
"""The arms of a recipe that augments without naming arms: as it says, and the control."""
_EQUAL = ("steps", "batch_tokens", "sequence_length", "probe_step", "checkpoint_every", "seed")
"""What all arms share, so that each trains on as many tokens and is measured at the same steps."""


@dataclass(frozen=True)
class Line:
    """One line of a comparison: a strategy, in one arm where there are arms.

    Attributes:
        strategy: The strategy with its fields.
        adaptation: How its grafts are adapted.
        arm: The arm's name; ``None`` without arms.
        control: The label of the same line without augmentation; ``None`` for a line that has no other.
    """

    strategy: StrategySettings
    adaptation: AdaptSettings
    arm: str | None = None
    control: str | None = None

    @property
    def label(self) -> str:
        """The strategy's label, with the arm."""
        return self.strategy.label if self.arm is None else arm_label(self.strategy.label, self.arm)

    @property
    def chain(self) -> list[tuple[str, dict[str, Any]]]:
        """The strategies with their fields."""
        return self.strategy.chain

    @property
    def norm_calibration(self) -> Calibration | None:
        """What replaces the recipe's norm calibration."""
        return self.strategy.norm_calibration


def arm_label(strategy: str, arm: str) -> str:
    """The label of a strategy in an arm."""
    return f"{strategy}, {arm}"


def lines_of(
    strategies: Sequence[StrategySettings], adaptation: AdaptSettings, arms: Mapping[str, AdaptSettings]
) -> tuple[Line, ...]:
    """Every line of a comparison, arm by arm under each strategy.

    An arm that augments has a control: the arm that differs from it in nothing but the augmentation. One that nobody
    named is added as ``plain``, or as ``NAME plain`` where there is a ``plain`` already.

    Args:
        strategies: The strategies.
        adaptation: The recipe's adaptation.
        arms: The adaptation of each arm; empty for none.

    Returns:
        One line for each strategy, or for each strategy with each arm.
    """
    if not arms and not adaptation.augment:
        return tuple(Line(strategy, adaptation) for strategy in strategies)
    complete = dict(arms or {AUGMENTED: adaptation})
    controls: dict[str, str] = {}
    for name, settings in list(complete.items()):
        if not settings.augment:
            continue
        plain = settings.model_copy(update={"augment": []})
        found = next((other for other, one in complete.items() if one == plain), None)
        if found is None:
            found = PLAIN if PLAIN not in complete else f"{name} {PLAIN}"
            complete[found] = plain
        controls[name] = found
    return tuple(_lines(strategies, complete, controls))


def _lines(
    strategies: Sequence[StrategySettings], arms: Mapping[str, AdaptSettings], controls: Mapping[str, str]
) -> Iterator[Line]:
    for strategy in strategies:
        for name, adaptation in arms.items():
            control = arm_label(strategy.label, controls[name]) if name in controls else None
            yield Line(strategy, adaptation, name, control)


def refuse_unequal(name: str, changes: Mapping[str, Any]) -> None:
    """Refuse an arm that would train on more or fewer tokens than the others, or be measured at other steps.

    Raises:
        ValueError: The arm sets one of these.
    """
    if unequal := [key for key in _EQUAL if key in changes]:
        raise ValueError(f"arm '{name}' sets {unequal[0]}; all arms train on equal tokens, so set it in adaptation")

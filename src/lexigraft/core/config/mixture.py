"""Settings of a mixture of training texts in a recipe."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from lexigraft.core.config.base import Settings

TARGET = "target"
"""The name of the training text itself."""

Weight = Annotated[float, Field(ge=0, le=1)]


class MixtureSettings(Settings):
    """Texts that adaptation trains on, by weight: the share of each in the tokens.

    `stages` are weights by text, `target` being the training text; they follow each other, each as long as the others.
    `temperature` gives the texts weights in proportion to their characters ** (1 / temperature) instead.
    """

    stages: list[dict[str, Weight]] = []
    temperature: float | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _weights_sum(self) -> Self:
        if bool(self.stages) == (self.temperature is not None):
            raise ValueError("give either stages or a temperature")
        for number, stage in enumerate(self.stages, 1):
            if abs(sum(stage.values()) - 1) > 1e-6:
                raise ValueError(f"the weights of stage {number} sum to {sum(stage.values()):g}, not to 1")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The texts that the stages name, each once."""
        return tuple(dict.fromkeys(name for stage in self.stages for name in stage))

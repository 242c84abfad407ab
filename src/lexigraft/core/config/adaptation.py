"""Settings of adaptation in a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from lexigraft.core.config.base import BatchTokens, Count, KeyedSettings, Paths, Seed, Settings, Width
from lexigraft.core.config.mixture import TARGET, MixtureSettings

Trains = Literal["full", "new_rows", "lora", "frozen"]
Body = Annotated[
    str,
    Field(pattern=r"^(lora|frozen|full|top_bottom:[1-9][0-9]{0,3}|shielded:0?\.[0-9]{0,5}[1-9][0-9]{0,5})$"),
]
"""What of the body trains; `shielded:SHARE` is all but the share of columns that matters most for `texts.source`."""
SOURCE = "source"
"""The name of the source-language text, among the further texts."""


def shielded_share(body: str) -> float:
    """The share of columns that ``body`` shields; 0 for none."""
    kind, _, share = body.partition(":")
    return float(share) if kind == "shielded" else 0.0


class LearningRates(Settings):
    """Learning rates by part, as multiples of `learning_rate`; a part whose rate is 0 stays as it is.

    `tables` are the rows of the input table, of the output table and of the head's bias, `new_rows` the rows among them
    of new tokens. `head` is what else the head holds. LoRA layers have the rate of the part that they change.
    """

    new_rows: float = Field(1.0, ge=0)
    tables: float = Field(1.0, ge=0)
    head: float = Field(1.0, ge=0)
    body: float = Field(1.0, ge=0)

    @model_validator(mode="after")
    def _something_trains(self) -> Self:
        if not any((self.new_rows, self.tables, self.head, self.body)):
            raise ValueError("all rates are 0, so nothing would train")
        return self


class Phase(KeyedSettings):
    """One phase of adaptation, in which a fixed part of the model trains; without rates of its own with all others'."""

    unwritten: ClassVar = frozenset({"learning_rates"})
    steps: Count = Field(ge=1)
    embeddings: Trains = "full"
    head: Trains = "full"
    body: Body = "lora"
    learning_rates: LearningRates | None = None

    @property
    def shielded_share(self) -> float:
        """The share of the body's columns that stays as it is though the body trains."""
        return shielded_share(self.body)


def _augmenter(value: object) -> object:
    if isinstance(value, str):
        return {value: {}}
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ValueError(
            f"an augmenter is a name, or a name with its options ({{leia: {{p: 0.5}}}}), not {value!r:.80}"
        )
    return {str(name): dict(options or {}) for name, options in value.items()}


AugmenterEntry = Annotated[dict[str, dict[str, Any]], BeforeValidator(_augmenter)]
"""One augmenter as a recipe writes it: a name, or a name with its options."""


class AdaptSettings(KeyedSettings):
    """Continued pretraining after the graft.

    `objective_files` names what the objective reads besides the training text, such as a `dictionary`. `augment` lists
    augmenters, which change the training documents one after the other. `documents` says how documents
    meet in a training sequence: with special tokens between them (`separated`), with nothing between them (`joined`),
    or separated and each attending to itself alone, with positions of its own (`reset`). `texts` are files of further
    texts by name, which `mixture` mixes with the training text; augmenters leave them as they are. `body: shielded`
    measures what matters for source text on the text called `source`. `quantization: 4bit` holds the layers under LoRA
    in 4 bits while it trains.
    """

    unwritten: ClassVar = frozenset(
        {"augment", "documents", "learning_rates", "mixture", "objective_files", "quantization", "texts"}
    )
    objective: str | None = None
    objective_options: dict[str, Any] = {}
    objective_files: dict[str, Paths] = {}
    steps: Count = Field(200, ge=0)
    batch_tokens: BatchTokens = 2048
    sequence_length: Count = Field(128, ge=8)
    learning_rate: float = Field(5e-4, gt=0)
    learning_rates: LearningRates = LearningRates()
    warmup_share: float = Field(0.06, ge=0, lt=1)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    weight_decay: float = Field(0.0, ge=0)
    embeddings: Trains = "full"
    head: Trains = "full"
    body: Body = "lora"
    lora_rank: Width = Field(8, ge=1)
    lora_alpha: float = Field(16, gt=0)
    lora_dropout: float = Field(0.0, ge=0, lt=1)
    lora_targets: list[str] | None = None
    quantization: Literal["none", "4bit"] = "none"
    phases: list[Phase] = []
    gradient_checkpointing: bool = False
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    checkpoint_every: Count = Field(0, ge=0)
    probe_step: Count = Field(50, ge=0)
    augment: list[AugmenterEntry] = []
    documents: Literal["separated", "joined", "reset"] = "separated"
    texts: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")], Paths] = {}
    mixture: MixtureSettings | None = None
    seed: Seed = 0

    @model_validator(mode="after")
    def _phases_add_up(self) -> Self:
        if self.phases and sum(p.steps for p in self.phases) != self.steps:
            raise ValueError("the steps of the phases must add up to steps")
        return self

    @model_validator(mode="after")
    def _texts_are_given(self) -> Self:
        if TARGET in self.texts:
            raise ValueError(f"texts: '{TARGET}' is the training text; give another text another name")
        if self._shields and SOURCE not in self.texts:
            raise ValueError("body: shielded needs source-language text; name its files: texts: {source: FILE}")
        if unknown := [name for name in self.used_texts if name not in self.texts]:
            raise ValueError(f"no text is called '{unknown[0]}'; name its files: texts: {{{unknown[0]}: FILE}}")
        return self

    @property
    def mixed_texts(self) -> tuple[str, ...]:
        """Names of the further texts that this adaptation trains on."""
        if self.mixture is None:
            return ()
        names = self.mixture.names if self.mixture.stages else tuple(self.texts)
        return tuple(name for name in names if name != TARGET)

    @property
    def used_texts(self) -> tuple[str, ...]:
        """Names of the further texts that this adaptation reads."""
        return tuple(dict.fromkeys((*self.mixed_texts, *((SOURCE,) if self._shields else ()))))

    @property
    def _shields(self) -> bool:
        return any(shielded_share(body) for body in ([p.body for p in self.phases] or [self.body]))

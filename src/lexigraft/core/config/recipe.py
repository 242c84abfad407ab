"""Schema of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BeforeValidator,
    ByteSize,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from lexigraft.core.config.adaptation import AdaptSettings
from lexigraft.core.config.arms import Line, lines_of, refuse_unequal
from lexigraft.core.config.base import BatchTokens, Count, KeyedSettings, Paths, Seed, Settings, Width
from lexigraft.core.config.evaluation import EvaluationSettings
from lexigraft.core.config.strategy_entries import Calibration, StrategySettings, strategies_of
from lexigraft.core.config.tokenizer_changes import TokenizerChangeSettings, kind_of, unwrapped


class CorpusSettings(Settings):
    """Target text to train on, target text held out, and source text whose retention is measured.

    `heldout` names files; without it a `heldout_share` of the training lines is held out. `also_heldout` names further
    texts that are measured under their own names. `source_train` is source-language text for strategies that use
    word vectors of both languages; no model trains on it.
    """

    train: Paths
    heldout: Paths = []
    also_heldout: dict[str, Paths] = {}
    heldout_share: float = Field(0.1, ge=0, lt=1)
    heldout_lines: Count = Field(200, ge=1)
    source_heldout: Paths = []
    source_train: Paths = []
    text_field: str = "text"
    limit_lines: Count | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        if taken := {"heldout", "source"} & set(self.also_heldout):
            raise ValueError(f"also_heldout cannot be called '{taken.pop()}'")
        return self

    @model_validator(mode="after")
    def _some_heldout(self) -> Self:
        if not self.heldout and self.heldout_share == 0:
            raise ValueError("give heldout files or a heldout_share above 0")
        return self


class TokenizerSettings(Settings):
    """A target tokenizer trained from the corpus: SentencePiece-like Unigram or BPE, byte-level BPE, or WordPiece."""

    type: Literal["unigram", "bpe", "byte_bpe", "wordpiece"] = "unigram"
    size: int = Field(8000, ge=300, le=2**24)
    lowercase: bool = False
    byte_fallback: bool = False


TargetTokenizer = Annotated[
    Annotated[str, Tag("str")]
    | Annotated[TokenizerSettings, Tag("TokenizerSettings")]
    | Annotated[TokenizerChangeSettings, Tag("TokenizerChangeSettings")],
    Discriminator(kind_of),
    BeforeValidator(unwrapped),
]
"""A path or Hub name, a tokenizer to train (with or without the key ``train``), or a change of the source's."""


class DictionarySettings(Settings):
    """A bilingual word list, source TAB target; `reverse` swaps the two sides; `pivot` joins two lists."""

    path: Paths = []
    reverse: bool = False
    pivot: tuple[str, str] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if bool(self.path) == bool(self.pivot):
            raise ValueError("give either path or pivot")
        return self


class VectorSettings(KeyedSettings):
    """fastText vectors of the target tokens: trained on the tokenized corpus, or loaded from a file.

    `preset: focus` takes FOCUS's published settings (dim 100, min count 10, character n-grams 3 to 6, 3 epochs).
    Without `epochs` and preset, fastText has as many epochs as let it see three million tokens, at least 3 and at
    most 20, because few tokens seen a few times leave the vectors in one direction.
    `all_but_the_top` centers the vectors and removes so many of their leading principal directions; 0 only centers.
    """

    unwritten: ClassVar = frozenset({"all_but_the_top"})
    file: str | None = None
    level: Literal["token", "word"] = "token"
    preset: Literal["lexigraft", "focus"] = "lexigraft"
    dim: Width | None = Field(None, ge=2)
    epochs: Count | None = Field(None, ge=1)
    negatives: Count = Field(10, ge=1)
    min_count: Count | None = Field(None, ge=1)
    char_ngrams: tuple[Width, Width] | None = None
    all_but_the_top: Width | None = Field(None, ge=0)
    extend_tokenizer: str | None = None
    threads: Width = Field(1, ge=1)

    @model_validator(mode="after")
    def _words_come_from_a_file(self) -> Self:
        if self.level == "word" and not self.file:
            raise ValueError("word-level vectors need a file")
        return self


class WordVectorSettings(Settings):
    """Word vectors of both languages: two files (.bin, .vec, .npz), one file that holds both in one space, or trained.

    A file that holds several languages is named once for each, as `FILE#eng` and `FILE#swh`. `limit_words` reads only
    the most frequent words, the first of a file. Without files they are trained with fastText (CBOW, character n-grams
    of 5) on `corpus.train` and `corpus.source_train`. `shared: true` says that the two files' vectors already lie in
    one space.
    """

    source: str | None = None
    target: str | None = None
    shared: bool = False
    limit_words: Count | None = Field(None, ge=1)
    dim: Width = Field(100, ge=2)
    epochs: Count = Field(5, ge=1)
    min_count: Count = Field(3, ge=1)
    threads: Width = Field(1, ge=1)

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.source is None) != (self.target is None):
            raise ValueError("give word vectors of both languages, source and target, or of neither to train them")
        if self.shared and self.source is None:
            raise ValueError("vectors that are trained here are not in one space; shared needs files")
        return self


class ParallelSettings(Settings):
    """Sentences of both languages: two files, aligned line by line; words are linked by `aligner`.

    `builtin` is deterministic and needs nothing; `eflomal` (a package of its own, under the GPL)
    samples, so two runs differ a little.
    """

    source: Paths
    target: Paths
    limit_lines: Count | None = Field(None, ge=1)
    aligner: Literal["builtin", "eflomal"] = "builtin"


class PretrainSettings(Settings):
    """Pretraining of a model from scratch on a corpus with a tokenizer."""

    preset: str = "roberta-tiny"
    steps: Count = Field(1000, ge=1)
    batch_tokens: BatchTokens = 4096
    sequence_length: int = Field(128, ge=8, le=2**20)
    learning_rate: float = Field(2e-3, gt=0)
    warmup_share: float = Field(0.06, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0)
    objective: str | None = None
    objective_options: dict[str, Any] = {"mask_share": 0.3}
    unigram_bias: bool = True
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    checkpoint_every: Count = Field(0, ge=0)
    seed: Seed = 0


class GraftSettings(KeyedSettings):
    """Settings of the graft: relaxed match rules, norm calibration, fallback, memory budget, device.

    `device` is the device of strategies that learn: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1`, `mps`.
    `text_model` is the path of the text model in a source that reads images too, where it is not found by itself.
    """

    unwritten: ClassVar = frozenset({"text_model"})
    rules: list[str] = []
    norm_calibration: Calibration = "none"
    fallback: Literal["normal", "mean"] = "normal"
    memory_budget: Annotated[ByteSize, Field(gt=0, le=2**50)] | None = None
    device: str = "auto"
    text_model: str | None = None
    verify: bool = True


class TrackingSettings(Settings):
    """MLflow: where runs go; `required: true` stops before the start when the store does not answer.

    `registered_model` is the name under which the best strategy's model is registered.
    """

    enabled: bool = True
    uri: Annotated[str, Field(repr=False)] = "sqlite:///mlflow.db"
    experiment: str | None = None
    required: bool = False
    registered_model: str | None = None

    @field_validator("registered_model")
    @classmethod
    def _no_path(cls, name: str | None) -> str | None:
        if name is not None and (not name.strip() or {"/", ":"} & set(name)):
            raise ValueError("the registry takes no empty name and none with / or :")
        return name


class ExecutionSettings(Settings):
    """Jobs of a comparison that runs on other machines (`compare --backend`).

    `retries` is how often a job that was killed, ran out of time or failed is started again; a user's mistake is not.
    `on_failure` says whether cells that have not begun still run once one has failed for good. `poll_seconds` is the
    time between two looks at the jobs.
    """

    retries: Count = Field(1, ge=0, le=1000)
    on_failure: Literal["continue", "stop"] = "continue"
    poll_seconds: float = Field(5.0, gt=0, le=3600)


ArmName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_ -]*$")]


class CompareSettings(KeyedSettings):
    """A whole comparison, as in one recipe file.

    `arms` run every strategy under several settings: each arm has a name and keys of `adaptation` that replace the
    recipe's. Where an arm, or the recipe, augments, a control without augmentation at equal tokens is added.
    """

    unwritten: ClassVar = frozenset({"arms"})
    name: str = "comparison"
    source: str
    target_tokenizer: TargetTokenizer
    corpus: CorpusSettings
    strategies: Annotated[list[StrategySettings], BeforeValidator(strategies_of)]
    reference: str | None = None
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0, 1, 2]
    dictionary: DictionarySettings | None = None
    target_vectors: VectorSettings = VectorSettings()
    poor_model: str | PretrainSettings | None = None
    word_vectors: WordVectorSettings = WordVectorSettings()
    parallel: ParallelSettings | None = None
    donor: str | None = None
    gold_links: str | None = None
    inputs: dict[str, dict[str, Any]] = {}
    graft: GraftSettings = GraftSettings()
    adaptation: AdaptSettings = AdaptSettings()
    arms: dict[ArmName, dict[str, Any]] = {}
    evaluation: EvaluationSettings = EvaluationSettings()
    tracking: TrackingSettings = TrackingSettings()
    execution: ExecutionSettings = ExecutionSettings()
    keep_models: bool = False

    @model_validator(mode="after")
    def _tasks_are_no_texts(self) -> Self:
        if taken := set(self.evaluation.tasks) & {"heldout", "source", *self.corpus.also_heldout}:
            raise ValueError(f"a task and a text share the name '{taken.pop()}'; scores are told apart by it")
        return self

    @model_validator(mode="after")
    def _labels_and_seeds(self) -> Self:
        labels = [line.label for line in self.lines]
        if twice := {label for label in labels if labels.count(label) > 1}:
            raise ValueError(f"two strategies share the label '{twice.pop()}'; give one a label of its own")
        known = {*labels, *(line.strategy.label for line in self.lines)}
        if self.reference is not None and self.reference not in known:
            raise ValueError(f"reference '{self.reference}' is not among the strategies")
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds repeat")
        return self

    @model_validator(mode="before")
    @classmethod
    def _arms_differ_in_adaptation(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and isinstance(arms := values.get("arms"), Mapping):
            return {**values, "arms": {name: {} if changes is None else changes for name, changes in arms.items()}}
        return values

    @property
    def lines(self) -> tuple[Line, ...]:
        """Every line of the comparison: the strategies, or each strategy in each arm."""
        return lines_of(self.strategies, self.adaptation, {name: self._arm(name) for name in self.arms})

    @property
    def reference_label(self) -> str | None:
        """The label that others are tested against; of a strategy with arms it is the control's."""
        if self.reference is None or self.reference in [line.label for line in self.lines]:
            return self.reference
        own = [line for line in self.lines if line.strategy.label == self.reference]
        return next((line.control for line in own if line.control is not None), own[0].label)

    def _arm(self, name: str) -> AdaptSettings:
        changes = self.arms[name]
        refuse_unequal(name, changes)
        try:
            return AdaptSettings.model_validate({**self.adaptation.model_dump(), **changes})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"arm '{name}': {where}: {first['msg'].removeprefix('Value error, ')}") from None

"""Tasks of the Massive Text Embedding Benchmark, by name or from local files, on pooled states of a model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, EvaluationData, Evaluator, Files, InputFile, Sample
from lexigraft.core.evaluation.hidden_states import chosen_layers
from lexigraft.core.evaluation.model_body import layers_of
from lexigraft.core.evaluation.scores import Scores
from lexigraft.core.utils.hashing import hash_of
from lexigraft.core.utils.outside_output import only_errors_shown
from lexigraft.core.utils.random_state import global_randomness_kept
from lexigraft.plugins.evaluators._mteb_encoder import Encoder, Pooling
from lexigraft.plugins.evaluators._mteb_tasks import LOCAL, figures_of, load_task, seeded

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class MtebData(EvaluationData):
    """A task of mteb with its data.

    Attributes:
        task: The task.
    """

    task: Any


@dataclass(frozen=True)
class Mteb(Evaluator):
    """A task of mteb (the extra ``eval``) on sentence vectors: the pooled hidden states of one layer, not trained.

    ``task`` is a name that mteb knows, whose data it fetches, or one of three that read JSON lines:
    ``local_classification`` (``text`` and ``label``; logistic regression on 8 training items of each label, ten times),
    ``local_sts`` (``sentence1``, ``sentence2``, ``score``) and ``local_bitext`` (``sentence1``, ``sentence2``; each
    must find its translation). Figures bear mteb's names, its main score first, as means over subsets and splits;
    those of several subsets follow. mteb gives no outcomes of single items.

    Source: Muennighoff et al. 2023; Enevoldsen et al. 2025 (mteb).

    Attributes:
        task: The task.
        languages: Which languages of a task of many count, such as ``[quy, swh]``; all where none is named.
        pooling: How a sentence's states become its vector: their ``mean``, the ``first`` or the ``last``.
        layer: Which hidden states, 0 for the embeddings and -1 for the last layer.
        max_length: Tokens of a sentence at most.
        batch_size: Sentences that go through the model together.
    """

    name: ClassVar[str] = "mteb"
    files: ClassVar[Mapping[str, InputFile]] = {
        "train": InputFile("training items of local_classification (JSON lines)", required=False),
        "test": InputFile("items of a local task (JSON lines)", required=False),
    }
    task: str = ""
    languages: tuple[str, ...] = ()
    pooling: Pooling = "mean"
    layer: int = -1
    max_length: int = 512
    batch_size: int = 32

    def __post_init__(self) -> None:
        """Refuse settings with which nothing is measured."""
        for name, least in {"max_length": 4, "batch_size": 1}.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}")

    def read(self, files: Files) -> MtebData:
        """Load the task and its data.

        Raises:
            LexigraftError: mteb is not installed, no or an unknown task, or data that cannot be read.
        """
        if not self.task:
            hint = f"Give one with --set task=NAME; local tasks: {', '.join(LOCAL)}"
            raise LexigraftError("no task of mteb is named", hint=hint)
        task = load_task(self.task, {name: paths for name, paths in files.items() if paths}, self.languages)
        splits = list(_splits(task))
        rows = [dict(row) for split in splits for row in split] if self.task in LOCAL else []
        content = {
            "task": task.metadata.name,
            "data": dict(task.metadata.dataset),
            "subsets": list(task.hf_subsets),
            "rows": rows,
            "train": [dict(row) for row in task.dataset["train"]] if "train" in files else [],
        }
        return MtebData(
            hash=hash_of(content),
            size=sum(map(len, splits)),
            unseen=tuple(dict.fromkeys(v for split in splits for row in split for v in row.values() if _is_text(v))),
            task=task,
        )

    def sample(self, folder: Path) -> Sample:
        """Write pairs of the local task ``local_bitext``."""
        pairs = [
            {"sentence1": f"the {word} is in the town", "sentence2": f"here the {word} is"}
            for word in ("river", "house", "school", "market")
        ]
        (folder / "test.jsonl").write_text("\n".join(map(json.dumps, pairs)), encoding="utf-8")
        return Sample({"test": [str(folder / "test.jsonl")]}, {"task": "local_bitext"})

    def evaluate(
        self, model: PreTrainedModel, vocabulary: Vocabulary, data: MtebData, context: EvaluationContext
    ) -> Scores:
        """Run mteb.

        Args:
            model: The model.
            vocabulary: Its vocabulary.
            data: The task.
            context: The seed of what the task draws; 0 is mteb's own.

        Returns:
            mteb's figures.

        Raises:
            LexigraftError: A layer that the model does not have.
        """
        import mteb

        chosen_layers(layers_of(model) + 1, self.layer)
        encoder = Encoder(model, vocabulary, pooling=self.pooling, layer=self.layer, max_length=self.max_length)
        with global_randomness_kept(), only_errors_shown("mteb", "datasets"):
            results = mteb.evaluate(
                encoder,
                seeded(data.task, context.seed),
                cache=None,
                co2_tracker=False,
                show_progress_bar=False,
                encode_kwargs={"batch_size": self.batch_size, "show_progress_bar": False},
            )
        [result] = results.task_results
        figures = figures_of(result.scores, data.task.metadata.main_score)
        notes = [f"{encoder.cut} sentences are longer than the model's context or {self.max_length} tokens"]
        return Scores(figures, notes=tuple(notes if encoder.cut else ()))


def _splits(task: Any) -> Iterator[Any]:
    """The data sets that are tested on; of retrieval tasks the queries."""
    for split in task.metadata.eval_splits:
        for subset in task.hf_subsets:
            of_subset = task.dataset.get(subset, task.dataset)
            found = of_subset.get(split, [])
            yield found["queries"] if isinstance(found, Mapping) and "queries" in found else found


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())

"""Any task of the lm-evaluation-harness, by name or from a folder of task files, on the model in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.evaluation.evaluator import EvaluationContext, EvaluationData, Evaluator, Files, InputFile, Sample
from lexigraft.core.evaluation.scores import ItemScores, Scores
from lexigraft.core.models.architecture import ModelKind, context_length, model_kind
from lexigraft.core.utils.hashing import file_hash, hash_of
from lexigraft.plugins.evaluators._harness import load_tasks, run_tasks

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary

_NOT_CONTENT = ("metadata", "dataset_kwargs", "custom_dataset")
_CONTEXT = 2048
"""Context of models that set no limit."""


@dataclass(frozen=True, kw_only=True)
class HarnessData(EvaluationData):
    """Tasks of the harness with their data.

    Attributes:
        loaded: ``tasks`` and ``groups`` by name, as the harness's own ``evaluate`` takes them.
    """

    loaded: Mapping[str, Any]


@dataclass(frozen=True)
class LmEvalHarness(Evaluator):
    """A task of EleutherAI's lm-evaluation-harness (the extra ``eval``): one of its own, or one from task files.

    Figures bear the harness's names (``acc``, ``acc_norm``, ``exact_match_strict-match``); those of a group's or a
    tag's single tasks end in the task's name, and the first ones are over all of them. Where a metric is the mean of
    its items, their outcomes are kept. Causal and encoder-decoder models: the harness has no masked ones.

    With Lexigraft come ``xcsqa``, ``xcodah`` and ``xcopa_local``, which read local files: the items of the
    published X-CSR and XCOPA data sets, one JSON object in each line. ``xcopa_local`` needs the language's words for
    *because* and *so*: ``metadata={cause: because, effect: so}``.

    Source: Gao et al., the lm-evaluation-harness; Lin et al. 2021 (X-CSQA, X-CODAH); Ponti et al. 2020 (XCOPA).

    Attributes:
        task: The name of a task, a group or a tag of the harness.
        shots: Examples before each item; as the task says where not given.
        limit: Items of each task at most.
        metric: The main figure; the task's first metric where not given.
        metadata: What a task is told that makes its data set itself.
        batch_size: Requests that go through the model together.
        max_length: Tokens of a request at most; the model's context where not given. Longer ones lose their start.
        add_bos_token: Whether texts start with the bos token; the tokenizer decides where not given.
    """

    name: ClassVar[str] = "lm_eval_harness"
    files: ClassVar[Mapping[str, InputFile]] = {
        "test": InputFile("items of a task that reads local files (JSON lines)", required=False),
        "shots": InputFile("items that its few-shot examples are drawn from", required=False),
        "tasks": InputFile("a folder of the harness's task files (YAML)", required=False),
    }
    kinds: ClassVar[frozenset[ModelKind]] = frozenset(("causal", "seq2seq"))
    task: str = ""
    shots: int | None = None
    limit: int | None = None
    metric: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    batch_size: int = 8
    max_length: int | None = None
    add_bos_token: bool | None = None

    def __post_init__(self) -> None:
        """Refuse settings with which nothing is measured."""
        for name, least in {"shots": 0, "limit": 1, "batch_size": 1, "max_length": 8}.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}")

    def read(self, files: Files) -> HarnessData:
        """Load the tasks and their data.

        Raises:
            LexigraftError: The harness is not installed, no or an unknown task, data that cannot be read, or fewer
                examples than shots.
        """
        if not self.task:
            raise LexigraftError("no task of the harness is named", hint="Give one with --set task=NAME")
        folders = files.get("tasks", ())
        given = {name: list(files[name]) for name in ("test", "shots") if files.get(name)}
        loaded = load_tasks(self.task, folders, {**self.metadata, **given})
        tasks: Mapping[str, Any] = loaded["tasks"]
        for task in tasks.values():
            self._set_shots(task)
        items = {name: list(islice(task.eval_docs, self.limit)) for name, task in tasks.items()}
        pools = {name: _pool(task) for name, task in tasks.items() if task.get_config("num_fewshot")}
        content = {
            "configs": {name: _config(task) for name, task in tasks.items()},
            "items": items,
            "pools": pools,
            "files": [file_hash(path) for folder in folders for path in _task_files(folder)],
        }
        notes = [note for name, pool in pools.items() for note in _leaks(tasks[name], items[name], pool)]
        return HarnessData(
            hash=hash_of(content),
            size=sum(map(len, items.values())),
            unseen=tuple(dict.fromkeys(text for docs in items.values() for doc in docs for text in _texts(doc))),
            notes=tuple(notes),
            loaded=loaded,
        )

    def sample(self, folder: Path) -> Sample:
        """Write questions of the local task ``xcopa_local``."""
        asked = [
            {"premise": f"The {word} is old.", "choice1": "It is new.", "choice2": "It was made.", "question": kind,
             "label": n % 2}
            for n, (word, kind) in enumerate((("house", "cause"), ("school", "effect"), ("book", "cause")))
        ]  # fmt: skip
        (folder / "test.jsonl").write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")
        words = {"cause": "because", "effect": "so"}
        return Sample({"test": [str(folder / "test.jsonl")]}, {"task": "xcopa_local", "shots": 0, "metadata": words})

    def evaluate(
        self, model: PreTrainedModel, vocabulary: Vocabulary, data: HarnessData, context: EvaluationContext
    ) -> Scores:
        """Run the harness.

        Args:
            model: The model.
            vocabulary: Its vocabulary.
            data: The tasks.
            context: The seed, by which few-shot examples are drawn.

        Returns:
            The harness's figures.

        Raises:
            LexigraftError: A tokenizer without bos and eos, or a metric that the task does not have.
        """
        if not {"bos", "eos"} & set(vocabulary.specials):
            hint = "The harness predicts the first token from one of them; add one to the tokenizer"
            raise LexigraftError("the tokenizer has neither a bos nor an eos token", hint=hint)
        most = min(context_length(model, _CONTEXT), self.max_length or _CONTEXT)
        results = run_tasks(
            data.loaded,
            model,
            vocabulary,
            seed=context.seed,
            limit=self.limit,
            batch_size=self.batch_size,
            max_length=most,
            add_bos_token=self.add_bos_token,
        )
        figures, items = _figures(results, self.task)
        if self.metric:
            if self.metric not in figures:
                raise UnknownName(f"metric of {self.task}", self.metric, figures)
            figures = {self.metric: figures[self.metric]} | figures
        causal = model_kind(model.config) == "causal"
        return Scores(figures, items, (*_cut(results, vocabulary, most, causal), *_lower_is_better(results)))

    def _set_shots(self, task: Any) -> None:
        """Set how many examples a task shows, and refuse more than it has."""
        own = task.get_config("num_fewshot")
        if self.shots and own == 0:
            raise LexigraftError("this task takes no few-shot examples", task.task_name, "Leave shots out")
        shots = (own or 0) if self.shots is None else self.shots
        task.set_config(key="num_fewshot", value=shots)
        if shots and (found := len(_pool(task))) <= shots:
            # One more is drawn than shown, in case the item itself is among them.
            hint = f"Its pool has {found} and must have more than that; for tasks of local files give --data shots=FILE"
            raise LexigraftError("the task has too few examples to show", f"{task.task_name}, {shots} shots", hint)


def _config(task: Any) -> str:
    """A task's configuration without paths and addresses of functions."""
    config = {key: value for key, value in task.dump_config().items() if key not in _NOT_CONTENT}
    return re.sub(r"0x[0-9a-f]+", "", json.dumps(config, sort_keys=True, default=repr))


def _pool(task: Any) -> list[Any]:
    """The items that few-shot examples are drawn from."""
    return list(task.fewshot_docs() or ())


def _task_files(folder: str) -> list[Path]:
    return sorted(path for path in Path(folder).rglob("*") if path.suffix in (".yaml", ".py") and path.is_file())


def _leaks(task: Any, items: Sequence[Any], pool: Sequence[Any]) -> list[str]:
    """A note where examples may show the very item that is asked; the harness leaves it out in one case only."""
    if task.fewshot_cfg.split is not None and task.fewshot_cfg.split == task.config.test_split:
        return []
    known = {json.dumps(doc, sort_keys=True, default=repr) for doc in pool}
    shared = sum(json.dumps(doc, sort_keys=True, default=repr) in known for doc in items)
    text = f"{task.task_name}: {shared} of {len(items)} items may be shown among their own few-shot examples"
    return [text] if shared else []


def _texts(value: Any) -> Iterator[str]:
    """Every text in an item."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, Sequence):
        for part in value:
            yield from _texts(part)


def _legal(key: str) -> str:
    """The harness's ``metric,filter`` as a name that MLflow takes: the filter only where there is one."""
    metric, _, kept = key.partition(",")
    return re.sub(r"[^A-Za-z0-9_.-]", "_", metric if kept in ("", "none") else f"{metric}_{kept}")


def _numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """The figures among a task's results, by the harness's own names."""
    return {
        key: float(value)
        for key, value in found.items()
        if "," in key and "_stderr," not in key and isinstance(value, int | float | np.number)
    }


def _figures(results: Mapping[str, Any], root: str) -> tuple[dict[str, float], dict[str, ItemScores]]:
    """All figures and, where a figure is the mean of its items, their outcomes."""
    by_task = {name: _numbers(results["results"][name]) for name in results["samples"]}
    items = {name: _means(results["samples"][name], found) for name, found in by_task.items()}
    if len(by_task) == 1:
        [found], [outcomes] = by_task.values(), items.values()
        return {_legal(key): value for key, value in found.items()}, {_legal(k): v for k, v in outcomes.items()}
    figures: dict[str, float] = {}
    kept: dict[str, ItemScores] = {}
    group = _numbers(results.get("groups", {}).get(root, {}))
    for key in dict.fromkeys(key for found in by_task.values() for key in found):
        if all(key in outcomes for outcomes in items.values()):
            together = ItemScores.of(np.concatenate([outcomes[key].numerators for outcomes in items.values()]))
            figures[_legal(key)] = group.get(key, together.ratio)
            if abs(together.ratio - figures[_legal(key)]) < 1e-9:
                kept[_legal(key)] = together
        elif key in group:
            figures[_legal(key)] = group[key]
    for name, found in by_task.items():
        figures |= {_legal(f"{_legal(key)}_{name}"): value for key, value in found.items()}
        kept |= {_legal(f"{_legal(key)}_{name}"): outcomes for key, outcomes in items[name].items()}
    return figures, kept


def _means(samples: Sequence[Mapping[str, Any]], found: Mapping[str, float]) -> dict[str, ItemScores]:
    """Outcomes by metric, in the order of the items, of the metrics that are their mean."""
    means: dict[str, ItemScores] = {}
    for key, value in found.items():
        metric, _, kept = key.partition(",")
        ordered = sorted((s for s in samples if s["filter"] == kept), key=lambda sample: sample["doc_id"])
        outcomes = [sample.get(metric) for sample in ordered]
        if outcomes and all(isinstance(outcome, int | float | np.number) for outcome in outcomes):
            scores = ItemScores.of(np.array(outcomes, np.float64))
            if abs(scores.ratio - value) < 1e-9:
                means[key] = scores
    return means


def _cut(results: Mapping[str, Any], vocabulary: Vocabulary, most: int, causal: bool) -> list[str]:
    """A note on the requests that do not fit the model, which lose their start."""
    requests = [
        request[0] + (request[1] if causal else "")
        for samples in results["samples"].values()
        for sample in samples
        for request in sample["arguments"]
        if len(request) == 2 and isinstance(request[1], str)
    ]
    long = sum(len(ids) > most for ids in vocabulary.encode(requests))
    return [f"{long} of {len(requests)} requests are longer than {most} tokens and lost their start"] if long else []


def _lower_is_better(results: Mapping[str, Any]) -> list[str]:
    names = {m for found in results["higher_is_better"].values() for m, higher in found.items() if higher is False}
    return [f"lower is better: {', '.join(sorted(names))}"] if names else []

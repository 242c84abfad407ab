"""The lm-evaluation-harness as a library: its tasks loaded with their data, a model in memory run on them."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.models.evaluation_mode import evaluation_mode
from lexigraft.core.utils.outside_output import only_errors_shown
from lexigraft.core.utils.random_state import global_randomness_kept

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary

OWN_TASKS = Path(__file__).with_name("_harness_tasks")


def load_tasks(name: str, folders: Sequence[str], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """A task, group or tag of the harness with the data of all its tasks.

    Args:
        name: Its name.
        folders: Folders of further task files; their tasks win over built-in ones.
        metadata: What tasks with a data set of their own making are told.

    Returns:
        ``tasks`` by name and ``groups`` by name, as the harness's own ``evaluate`` takes them.

    Raises:
        LexigraftError: The harness is not installed, a folder is missing, or a task's files or data cannot be read.
        UnknownName: No task has this name.
    """
    try:
        from lm_eval.tasks import TaskManager
    except ImportError:
        what, hint = "the lm-evaluation-harness is not installed", "pip install 'lexigraft[eval]'"
        raise LexigraftError(what, "lm-eval", hint) from None
    if missing := [folder for folder in folders if not Path(folder).is_dir()]:
        raise LexigraftError("folder of harness tasks not found", ", ".join(missing), "Give a folder of YAML files")
    paths = [str(OWN_TASKS), *folders]
    with global_randomness_kept(), only_errors_shown("lm_eval", "datasets"):
        manager = TaskManager(include_path=paths, include_defaults=False, metadata=dict(metadata))
        if name in (*manager.all_subtasks, *manager.all_groups):
            with contextlib.suppress(KeyError):  # of a group that holds built-in tasks
                return _load(manager, name)
        # Thousands of files, which are read only for a task that needs them.
        manager = TaskManager(include_path=paths, metadata=dict(metadata))
        if name not in manager.all_tasks:
            raise UnknownName("task of the lm-evaluation-harness", name, manager.all_tasks)
        try:
            return _load(manager, name)
        except KeyError as error:
            raise LexigraftError("a task of the harness cannot be read", name, f"KeyError: {error}") from None


def _load(manager: Any, name: str) -> dict[str, Any]:
    try:
        return dict(manager.load([name]))
    except (LexigraftError, KeyError):
        raise
    except Exception as error:  # of any library that a task's own code calls
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise LexigraftError("a task of the harness cannot be read", name, reason) from None


def run_tasks(
    loaded: Mapping[str, Any],
    model: PreTrainedModel,
    vocabulary: Vocabulary,
    *,
    seed: int,
    limit: int | None,
    batch_size: int,
    max_length: int,
    add_bos_token: bool | None,
) -> Mapping[str, Any]:
    """Run a model on loaded tasks.

    The model and all random state stay as they are: the harness would tie the tables of a model whose configuration
    says so, and give the tokenizer a padding token.

    Args:
        loaded: From :func:`load_tasks`.
        model: The model.
        vocabulary: Its vocabulary.
        seed: Decides which few-shot examples are drawn.
        limit: Items of each task at most.
        batch_size: Requests that go through the model together.
        max_length: Tokens of a request at most; longer ones lose their start.
        add_bos_token: Whether texts start with the bos token; the tokenizer decides where not given.

    Returns:
        What the harness's ``evaluate`` returns, with its samples.
    """
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM

    with (
        global_randomness_kept(),
        evaluation_mode(model),
        _tables_left_alone(model),
        only_errors_shown("lm_eval", "datasets"),
    ):
        for task in loaded["tasks"].values():
            task.set_fewshot_seed(seed=seed)
        wrapped = HFLM(
            pretrained=model,
            tokenizer=copy.deepcopy(vocabulary.tokenizer),
            batch_size=batch_size,
            max_length=max_length,
            add_bos_token=add_bos_token,
        )
        results: Mapping[str, Any] = evaluate(lm=wrapped, task_dict=loaded, limit=limit, bootstrap_iters=0)
    return results


@contextlib.contextmanager
def _tables_left_alone(model: Any) -> Iterator[None]:
    model.tie_weights = lambda *args, **options: None
    try:
        yield
    finally:
        del model.tie_weights

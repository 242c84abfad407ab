"""For each law of evaluators one that breaks it: the law must notice, whatever the others say."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.evaluation.evaluator import (
    EvaluationContext,
    EvaluationData,
    Evaluator,
    Files,
    InputFile,
    Sample,
    TextData,
    TextEvaluator,
)
from lexigraft.core.evaluation.scores import ItemScores, Scores
from lexigraft.core.registry import Plugin, discover
from lexigraft.core.utils.hashing import hash_of
from lexigraft.testing import check_evaluator
from lexigraft.testing.evaluator_contract import ON_DATA, ON_MODELS, run_evaluator_checks
from lexigraft.testing.law import Outcome

pytestmark = pytest.mark.usefixtures("one_thread")
FIXTURE = "roberta-tied-bias"
LINES = ["The river runs past the old house.", "The market opens.", "The teacher came to the school."]


@dataclass(frozen=True, kw_only=True)
class Lines(EvaluationData):
    """Lines of the tests."""

    lines: tuple[str, ...]


def lines_of(files: Files, name: str) -> list[str]:
    try:
        text = "".join(Path(path).read_text(encoding="utf-8") for path in files.get(name, ()))
    except (OSError, UnicodeDecodeError) as error:
        raise LexigraftError("the lines cannot be read", ", ".join(files[name]), str(error)) from None
    return text.splitlines()


def honest_read(files: Files) -> Lines:
    test = lines_of(files, "test")
    if not test:
        raise LexigraftError("there are no lines", ", ".join(files["test"]), "Give at least one line")
    content = hash_of([test, lines_of(files, "words")])
    return Lines(hash=content, size=len(test), unseen=tuple(test), lines=tuple(test))


def means(model: Any, vocabulary: Any, lines: Iterable[str], *, dropout: bool = False) -> list[float]:
    """The mean of the rows of each line's tokens."""
    table = model.get_input_embeddings().weight.detach().float()
    rows = [table[torch.tensor(ids)] for ids in vocabulary.encode(list(lines))]
    if dropout:
        rows = [torch.nn.functional.dropout(one, 0.5, training=model.training) for one in rows]
    return [float(one.mean()) for one in rows]


def honest(evaluator: Any, model: Any, vocabulary: Any, data: Any, context: EvaluationContext) -> Scores:
    drawn = np.random.default_rng(context.seed).random(data.size)
    share = ItemScores.of([value > 0 for value in means(model, vocabulary, data.lines)])
    return Scores.of({"share": share, "drawn": ItemScores.of(drawn)}, {"lines": float(data.size)})


def honest_sample(folder: Path) -> Sample:
    (folder / "test.txt").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    (folder / "words.txt").write_text("river\n", encoding="utf-8")
    return Sample({"test": [str(folder / "test.txt")], "words": [str(folder / "words.txt")]})


Evaluate = Callable[[Any, Any, Any, Any, EvaluationContext], Scores]


def plugin_of(
    evaluate: Evaluate = honest,
    read: Callable[[Files], EvaluationData] = honest_read,
    sample: Callable[[Path], Sample | None] = honest_sample,
    **attributes: Any,
) -> Plugin:
    """A plug-in of an evaluator with these methods; every other thing about it is in order."""
    read_it, sample_it, evaluate_it = read, sample, evaluate

    @dataclass(frozen=True)
    class Made(Evaluator):
        """An evaluator of the tests.

        Source: the tests.
        """

        name: ClassVar[str] = "made"
        files: ClassVar[Mapping[str, InputFile]] = {"test": InputFile("lines"), "words": InputFile("words", False)}
        times: int = 1

        def read(self, files: Files) -> EvaluationData:
            return read_it(files)

        def evaluate(self, model: Any, vocabulary: Any, data: Any, context: EvaluationContext) -> Scores:
            return evaluate_it(self, model, vocabulary, data, context)

        def sample(self, folder: Path) -> Sample | None:
            return sample_it(folder)

    for key, value in attributes.items():
        setattr(Made, key, value)
    return Plugin("evaluator", "made", "", "class", Made)


def outcome(plugin: Plugin, law: str, fixture: str = FIXTURE) -> Outcome:
    (found,) = [o for o in run_evaluator_checks(plugin, (fixture,)) if o.law == law]
    return found


def changed(scores: Scores, **figures: float) -> Scores:
    return replace(scores, figures={**scores.figures, **figures})


def not_finite(*given: Any) -> Scores:
    return changed(honest(*given), lines=float("inf"))


def no_figures(*given: Any) -> Scores:
    return Scores({})


def illegal_name(*given: Any) -> Scores:
    return changed(honest(*given), **{"P@1": 0.5})


def path_like_name(*given: Any) -> Scores:
    return changed(honest(*given), **{"../share": 0.5})


def short_of_an_item(*given: Any) -> Scores:
    found = honest(*given)
    return replace(found, items={"share": ItemScores(*(part[:-1] for part in found.items["share"]))})


def items_of_nothing(*given: Any) -> Scores:
    found = honest(*given)
    return replace(found, items={**found.items, "other": found.items["share"]})


def mean_of_means(*given: Any) -> Scores:
    found = honest(*given)
    weighted = ItemScores(found.items["drawn"].numerators, np.arange(1.0, 4.0))
    return Scores({"drawn": float(np.mean(weighted.numerators))}, {"drawn": weighted})


def globally_random(*given: Any) -> Scores:
    return changed(honest(*given), luck=random.random())


def numpy_seeds(*given: Any) -> Scores:
    np.random.seed(0)  # noqa: NPY002
    return honest(*given)


def in_the_models_mode(evaluator: Any, model: Any, vocabulary: Any, data: Any, context: EvaluationContext) -> Scores:
    torch_state = torch.random.get_rng_state()
    found = means(model, vocabulary, data.lines, dropout=True)
    torch.random.set_rng_state(torch_state)
    return Scores.of({"mean": ItemScores.of(found)})


class Counter:
    """Gives one more with every call."""

    calls = 0

    def __call__(self, *given: Any) -> Scores:
        self.calls += 1
        return changed(honest(*given), calls=float(self.calls))


def wants_counts(evaluator: Any, model: Any, vocabulary: Any, data: Any, context: EvaluationContext) -> Scores:
    return changed(honest(evaluator, model, vocabulary, data, context), total=float(context.token_counts.sum()))


def refuses_without_counts(
    evaluator: Any, model: Any, vocabulary: Any, data: Any, context: EvaluationContext
) -> Scores:
    if context.token_counts is None:
        raise LexigraftError("token counts are not known", hint="Give --train")
    return honest(evaluator, model, vocabulary, data, context)


def leaving(change: Callable[[Any], object]) -> Evaluate:
    def evaluate(evaluator: Any, model: Any, *rest: Any) -> Scores:
        found = honest(evaluator, model, *rest)
        change(model)
        return found

    return evaluate


def moves_a_weight(model: Any) -> None:
    with torch.no_grad():
        next(reversed(list(model.parameters()))).add_(1.0)


def merges_the_adapter(model: Any) -> None:
    for module in model.modules():
        if hasattr(module, "merge"):
            module.merge()


CHANGES: dict[str, Callable[[Any], object]] = {
    "weights": moves_a_weight,
    "requires_grad": lambda model: model.requires_grad_(True),
    "training mode": lambda model: model.eval(),
    "hooks": lambda model: model.register_forward_pre_hook(lambda module, inputs: None),
    "gradients": lambda model: model.zero_grad(),
    "adapters": merges_the_adapter,
    "configuration": lambda model: setattr(model.config, "output_hidden_states", True),
    "modules": lambda model: model.add_module("probe", torch.nn.Linear(2, 2)),
}


@pytest.mark.parametrize("aspect", CHANGES)
def test_a_model_that_is_left_changed_is_caught(aspect: str) -> None:
    found = outcome(plugin_of(leaving(CHANGES[aspect])), "the model stays as it was")
    assert found.outcome == "failed"
    assert f"{aspect} of" in found.reason


def two_readings(files: Files) -> Lines:
    return replace(honest_read(files), hash=hash_of(sorted(files["test"])))


def blind_to_words(files: Files) -> Lines:
    return replace(honest_read(files), hash=hash_of(lines_of(files, "test")))


def needs_the_words(files: Files) -> Lines:
    assert files["words"]
    return honest_read(files)


def opens_without_care(files: Files) -> Lines:
    for paths in files.values():
        for path in paths:
            Path(path).read_text(encoding="utf-8")
    return honest_read(files)


def reads_what_is_not_there(files: Files) -> Lines:
    return honest_read(
        {name: [p for p in paths if Path(p).exists()] for name, paths in files.items() if name == "test"}
    )


def sizeless(files: Files) -> Lines:
    return replace(honest_read(files), size=0)


def without_test(folder: Path) -> Sample:
    return Sample({"words": honest_sample(folder).files["words"]})


@dataclass(frozen=True)
class Case:
    """A law with an evaluator that breaks it."""

    law: str
    evaluate: Evaluate = honest
    read: Callable[[Files], EvaluationData] = honest_read
    sample: Callable[[Path], Sample | None] = honest_sample
    attributes: Mapping[str, Any] = field(default_factory=dict)


CASES = [
    Case("docstring record is complete", attributes={"__doc__": "An evaluator without a source."}),
    Case("files are described", attributes={"files": {"test": InputFile(""), "words": InputFile("words", False)}}),
    Case("kinds of models are known", attributes={"kinds": frozenset({"masked", "diffusion"})}),
    Case("the sample has the required files", sample=without_test),
    Case("the data is sound", read=sizeless),
    Case("the required files suffice", read=needs_the_words),
    Case("the required files suffice", read=blind_to_words),
    Case("a missing file is refused", read=opens_without_care),
    Case("a missing file is refused", read=reads_what_is_not_there),
    Case("a damaged file is refused clearly", read=opens_without_care),
    Case("the hash is of the content", read=two_readings),
    Case("every declared kind is measured", lambda *given: Scores.of({"all": ItemScores.of(given[2].nothing)})),
    Case("figures are finite", not_finite),
    Case("figures are finite", no_figures),
    Case("names are legal for MLflow", illegal_name),
    Case("names are legal for MLflow", path_like_name),
    Case("every item has its outcome", short_of_an_item),
    Case("every item has its outcome", items_of_nothing),
    Case("figures are the ratios of their items", mean_of_means),
    Case("same seed, same scores", globally_random),
    Case("same seed, same scores", in_the_models_mode),
    Case("the global random state is untouched", globally_random),
    Case("the global random state is untouched", numpy_seeds),
    Case("another order of calls, same scores", Counter()),
    Case("the seed alone suffices", wants_counts),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.law)
def test_a_broken_evaluator_is_caught(case: Case) -> None:
    found = outcome(plugin_of(case.evaluate, case.read, case.sample, **case.attributes), case.law)
    assert found.outcome == "failed"
    assert found.reason


def test_an_honest_evaluator_is_not_accused() -> None:
    found = run_evaluator_checks(plugin_of(), (FIXTURE,))
    assert [o for o in found if o.outcome == "failed"] == []
    left_out = {o.law for o in found if o.outcome == "not applicable"}
    assert left_out == {"name is the file's stem", "import is light", "items follow the data's order"}
    caught = {case.law for case in CASES} | {"the model stays as it was", "items follow the data's order"}
    assert {law.name for law in (*ON_DATA, *ON_MODELS)} <= caught


def test_a_text_evaluator_that_sorts_its_lines_is_caught() -> None:
    @dataclass(frozen=True)
    class Sorted(TextEvaluator):
        """Lengths of lines.

        Source: the tests.
        """

        name: ClassVar[str] = "sorted"

        def evaluate(self, model: Any, vocabulary: Any, data: TextData, context: EvaluationContext) -> Scores:
            return Scores.of({"length": ItemScores.of(sorted(map(len, data.lines)))})

    with pytest.raises(AssertionError, match="evaluator 'sorted' breaks 1 laws:\n  items follow the data's order"):
        check_evaluator(Sorted, FIXTURE)


def test_other_kinds_and_missing_data_and_extras_leave_laws_out_and_say_so() -> None:
    masked = plugin_of(kinds=frozenset({"masked"}))
    found = outcome(masked, "figures are finite", "t5-tied")
    assert (found.outcome, found.reason) == ("not applicable", "the evaluator does not measure seq2seq models")

    found = outcome(plugin_of(sample=lambda folder: None), "the required files suffice")
    assert (found.outcome, found.reason) == ("not applicable", "the evaluator gives no sample data")

    def without_the_package(*given: Any) -> Scores:
        raise LexigraftError("this needs a package", "harness", "pip install 'lexigraft[eval]'")

    found = outcome(plugin_of(without_the_package), "figures are finite")
    assert found.outcome == "not applicable"
    assert "lexigraft[eval]" in found.reason


def test_an_evaluator_of_training_may_refuse_where_nothing_is_known() -> None:
    found = outcome(plugin_of(refuses_without_counts), "the seed alone suffices")
    assert (found.outcome, found.reason) == ("not applicable", "refused: token counts are not known. Give --train")
    assert outcome(plugin_of(refuses_without_counts), "figures are finite").outcome == "passed"


def test_the_samples_options_hold_unless_the_author_gives_others() -> None:
    def sample(folder: Path) -> Sample:
        return replace(honest_sample(folder), options={"times": 3})

    def evaluate(evaluator: Any, *rest: Any) -> Scores:
        return changed(honest(evaluator, *rest), times=float("inf") if evaluator.times == 3 else 1.0)

    plugin = plugin_of(evaluate, sample=sample)
    assert plugin.cls is not None
    with pytest.raises(AssertionError, match="times is inf"):
        check_evaluator(plugin.cls, FIXTURE)
    with pytest.raises(AssertionError, match="times is inf"):
        check_evaluator(plugin.cls(), FIXTURE)
    check_evaluator(plugin.cls(times=2), FIXTURE)
    check_evaluator(plugin.cls, FIXTURE, {"times": 2})
    with pytest.raises(AssertionError, match=r"cannot be built with \{'times': 'often'\}"):
        check_evaluator(plugin.cls, FIXTURE, {"times": "often"})


def test_what_cannot_be_checked_is_said() -> None:
    with pytest.raises(LexigraftError, match="not an evaluator"):
        check_evaluator("bits_per_byte")  # type: ignore[arg-type]
    with pytest.raises(LexigraftError, match="has no name"):
        check_evaluator(Evaluator)
    with pytest.raises(UnknownName, match="t5-tied"):
        check_evaluator(discover("evaluator")["bits_per_byte"].cls, ["t5-tide"])  # type: ignore[arg-type]

"""Multiple choice: a case by hand, a model that knows, one that guesses, examples, and what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from lexigraft.core.data.choice_questions import ChoiceQuestion
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.choices import choice_share
from lexigraft.core.evaluation.evaluator import EvaluationContext, read_data
from lexigraft.core.evaluation.scores import Scores
from lexigraft.core.registry import make
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.plugins.evaluators.multiple_choice import ChoiceData, MultipleChoice
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import fixture

WORDS = sorted({word for word in SOURCE_TEXT.split() if word.isalpha() and len(word) > 3})


def load(name: str) -> tuple[PreTrainedModel, Vocabulary]:
    model, tokenizer, _ = fixture(name)
    return model, Vocabulary.of(tokenizer)


def with_logits(model: PreTrainedModel, logits: torch.Tensor) -> None:
    """Make GPT-2 predict the same everywhere: its last norm gives (1, 0, 0, …), the table's first column the logits."""
    with torch.no_grad():
        model.transformer.ln_f.weight.zero_()
        model.transformer.ln_f.bias.zero_()
        model.transformer.ln_f.bias[0] = 1.0
        model.lm_head.weight[:, 0] = logits


def scores(evaluator: MultipleChoice, loaded: tuple[PreTrainedModel, Vocabulary], *questions: ChoiceQuestion) -> Scores:
    data = ChoiceData(hash="", size=len(questions), questions=questions, pool=())
    return evaluator.evaluate(*loaded, data, EvaluationContext())


def test_sums_and_sums_by_byte_are_compared_as_by_hand() -> None:
    """ " the" is one token of −10 nats, " river and" two of −6 nats each.

    The sums are −10 and −12: the short answer wins. By byte they are −10 / 3 = −3.3 and −12 / 9 = −1.3: the long one.
    """
    model, vocabulary = load("gpt2-tied")
    short, long = vocabulary.encode([" the", " river and"])
    assert (len(short), len(long)) == (1, 2)
    logits = torch.full((model.config.vocab_size,), -30.0)
    logits[short], logits[long] = -10.0, -6.0
    filler = vocabulary.id_of("z")
    assert filler not in {*short, *long}
    logits[filler] = math.log(1 - math.exp(-10) - 2 * math.exp(-6))
    with_logits(model, logits)
    asked = ChoiceQuestion("The old house", ("the", "river and"), 0)
    found = scores(MultipleChoice(), (model, vocabulary), asked, asked._replace(label=1))
    assert found.items["accuracy"].numerators.tolist() == [1.0, 0.0]
    assert found.items["accuracy_bytes"].numerators.tolist() == [0.0, 1.0]
    assert found.figures == {"accuracy": 0.5, "accuracy_bytes": 0.5, "chance": 0.5, "unknown_share": 0.0}
    assert found.main == "accuracy"
    assert scores(MultipleChoice(main="accuracy_bytes"), (model, vocabulary), asked).main == "accuracy_bytes"


def questions(count: int, choices: int, context: str = "The river runs past") -> list[ChoiceQuestion]:
    drawn = np.random.default_rng(0)
    return [
        ChoiceQuestion(context, tuple(drawn.choice(WORDS, choices, replace=False)), int(drawn.integers(choices)))
        for _ in range(count)
    ]


@pytest.mark.parametrize("name", ["bert-tied-bias", "gpt2-tied", "t5-tied"])
def test_a_random_model_guesses(name: str) -> None:
    """300 questions of 4 choices: chance is 0.25, its standard error sqrt(0.25 × 0.75 / 300) = 0.025; 3 of them."""
    found = scores(MultipleChoice(), load(name), *questions(300, 4))
    assert found.figures["chance"] == 0.25
    assert found.figures["accuracy"] == pytest.approx(0.25, abs=0.075)
    assert found.figures["accuracy_bytes"] == pytest.approx(0.25, abs=0.075)


def test_a_model_that_knows_is_right() -> None:
    model, vocabulary = load("gpt2-tied")
    right, wrong = WORDS[:10], [word for word in WORDS[10:] if len(vocabulary.encode([f" {word}"])[0]) == 1][:10]
    known = {i for ids in vocabulary.encode([f" {word}" for word in right]) for i in ids}
    wrong = [word for word in wrong if vocabulary.encode([f" {word}"])[0][0] not in known]
    logits = torch.full((model.config.vocab_size,), -60.0)
    logits[list(known)] = 0.0
    with_logits(model, logits)
    asked = [ChoiceQuestion("The", (b, a), 1) for a, b in zip(right, wrong, strict=False)]
    found = scores(MultipleChoice(), (model, vocabulary), *asked)
    assert (found.figures["accuracy"], found.figures["accuracy_bytes"]) == (1.0, 1.0)


def test_equally_likely_choices_share_the_point() -> None:
    assert choice_share(np.array([-2.0, -1.0, -1.0]), 1) == 0.5
    assert choice_share(np.array([-2.0, -1.0, -1.0]), 0) == 0.0
    assert choice_share(np.array([-2.0, -1.0, -1.1]), 1) == 1.0
    same = ChoiceQuestion("", ("The river", "The river"), 0)
    assert scores(MultipleChoice(), load("gpt2-tied"), same).figures["accuracy"] == 0.5


def test_what_the_tokenizer_cannot_say_is_counted() -> None:
    """Of the choices' 4 + 4 bytes the 4 of the picture are under an unknown token."""
    found = scores(MultipleChoice(), load("bert-tied-bias"), ChoiceQuestion("The", ("runs", "🌽"), 0))
    assert found.figures["unknown_share"] == 0.5
    assert found.notes == ("no known token stands for 50.0% of the answers' bytes",)


def written(path: Path, records: Sequence[Any]) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


def records(*contexts: str) -> list[dict[str, Any]]:
    return [{"context": context, "choices": [f"yes {context}", "no"], "label": 0} for context in contexts]


def read(tmp_path: Path, test: Sequence[Any], pool: Sequence[Any] | None = None, **options: Any) -> ChoiceData:
    files = {"test": [written(tmp_path / "test.jsonl", test)]}
    if pool is not None:
        files["shots"] = [written(tmp_path / "pool.jsonl", pool)]
    data = read_data(make("evaluator", "multiple_choice", options), files)
    assert isinstance(data, ChoiceData)
    return data


def test_examples_come_before_the_question_with_their_right_answers_and_are_seeded(tmp_path: Path) -> None:
    data = read(tmp_path, records("q", "r"), records(*"abcdefgh"), shots=2)
    assert data.unseen == ("q", "yes q", "no", "r", "yes r")
    evaluator = MultipleChoice(shots=2)
    asked = evaluator._with_examples(0, data, seed=3)
    first, second, last = asked.context.split("\n\n")
    assert {first, second} < {f"{c} yes {c}" for c in "abcdefgh"}
    assert first != second
    assert (last, asked.continuations) == ("q", (" yes q", " no"))
    assert evaluator._with_examples(0, data, seed=3) == asked
    others = {evaluator._with_examples(n, data, seed).context for n in (0, 1) for seed in range(3, 6)}
    assert len(others) > 3
    model, vocabulary = load("gpt2-tied")
    found = [evaluator.evaluate(model, vocabulary, data, EvaluationContext(seed=1)).figures for _ in range(2)]
    assert found[0] == found[1]


def test_the_data_hash_is_of_the_questions_and_the_pool(tmp_path: Path) -> None:
    one = read(tmp_path, records("q"), records("a", "b"), shots=1).hash
    assert read(tmp_path, records("q"), records("a", "b"), shots=1).hash == one
    assert len({one, read(tmp_path, records("r")).hash, read(tmp_path, records("q"), records("a"), shots=1).hash}) == 3


@pytest.mark.parametrize(
    ("pool", "options", "message"),
    [
        (("a",), {"shots": 2}, "1 for 2"),
        (None, {"shots": 1}, "0 for 1"),
        (("a", "q"), {"shots": 1}, "also tested on: 1 questions"),
        (("a",), {}, "given but not used"),
        (None, {"shots": -1}, "shots must be at least 0"),
        (None, {"language": "xx"}, "for 'xx' set because and so"),
        (None, {"format": "squad"}, "format"),
        (None, {"batch_tokens": 0}, "at least 1"),
    ],
)
def test_wrong_uses_are_refused(
    tmp_path: Path, pool: Sequence[str] | None, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(LexigraftError, match=message):
        read(tmp_path, records("q"), None if pool is None else records(*pool), **options)


def test_equal_choices_are_counted_and_aliases_name_formats(tmp_path: Path) -> None:
    data = read(tmp_path, [*records("q"), {"context": "r", "choices": ["no", "no"], "label": 0}])
    assert data.notes == ("1 of 2 questions have two equal choices",)
    for alias, form in (
        ("xcopa", "xcopa"),
        ("xcsqa", "xcsqa"),
        ("x_codah", "x_codah"),
        ("multiblimp", "minimal_pairs"),
    ):
        assert make("evaluator", alias).format == form


def test_own_connectors_win_over_those_of_the_language(tmp_path: Path) -> None:
    record = {"premise": "It rains.", "choice1": "We go.", "choice2": "We stay.", "question": "cause", "label": 0}
    for options, wanted in (
        ({"language": "en"}, "It rains because"),
        ({"language": "en", "because": "as"}, "It rains as"),
        ({"because": "weil", "so": "also"}, "It rains weil"),
    ):
        assert read(tmp_path, [record], format="xcopa", **options).questions[0].context == wanted
    with pytest.raises(LexigraftError, match="because and so"):
        read(tmp_path, [record], format="xcopa", because="as")


def test_some_of_many_questions_are_spread_over_the_file_and_the_note_says_so(tmp_path: Path) -> None:
    asked = [{"context": str(n), "choices": ["yes", "no"], "label": 0} for n in range(10)]
    data = read(tmp_path, asked, max_questions=4)
    assert [question.context for question in data.questions] == ["0", "2", "5", "7"]
    assert (data.size, data.notes) == (4, ("4 of 10 questions are used, evenly chosen.",))
    assert data.hash != read(tmp_path, asked).hash
    with pytest.raises(LexigraftError, match="max_questions must be at least 1"):
        make("evaluator", "multiple_choice", {"max_questions": 0})

"""The lm-evaluation-harness on models in memory: by hand, against the models' own chances, and every bad input."""

from __future__ import annotations

import copy
import gzip
import json
import math
import random
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, read_data
from lexigraft.core.evaluation.scores import Scores
from lexigraft.core.registry import find, make
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_models import fixture

INSTALLED = pytest.mark.skipif(find_spec("lm_eval") is None, reason="NOT TESTED: lm-eval is not installed")
SENTENCE = "the dog house water tree river small green runs sleeps under over bird stone light"
WORDS = SENTENCE.split()


def loaded(name: str = "llama-untied") -> tuple[PreTrainedModel, Vocabulary]:
    model, tokenizer, _ = fixture(name)
    return model, Vocabulary.of(tokenizer)


def question(choices: Sequence[str], answer: str, stem: str = "what is it?") -> dict[str, Any]:
    labels = "ABCDE"[: len(choices)]
    listed = [{"label": label, "text": text} for label, text in zip(labels, choices, strict=True)]
    return {"id": "1", "question": {"stem": stem, "choices": listed}, "answerKey": answer}


def questions(count: int, seed: int = 0) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    return [question([" ".join(draw.sample(WORDS, 2)) for _ in range(4)], draw.choice("ABCD"), f"{seed} {n}?")
            for n in range(count)]  # fmt: skip


def write(path: Path, items: Sequence[dict[str, Any]]) -> str:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(map(json.dumps, items)) + "\n")
    return str(path)


def measured(
    model: PreTrainedModel, vocabulary: Vocabulary, files: dict[str, list[str]], seed: int = 0, **options: Any
) -> Scores:
    evaluator = make("evaluator", "lm_eval_harness", options)
    return evaluator.evaluate(model, vocabulary, read_data(evaluator, files), EvaluationContext(seed))


def make_uniform(model: PreTrainedModel) -> None:
    with torch.no_grad():
        model.get_output_embeddings().weight.zero_()


@INSTALLED
def test_a_model_that_knows_nothing_takes_the_choice_of_fewest_tokens_as_worked_out_by_hand(tmp_path: Path) -> None:
    model, vocabulary = loaded()
    make_uniform(model)
    # Every token costs the same, so acc is 1 where the right choice has the fewest tokens; acc_norm divides by
    # characters and acc_bytes by bytes.
    few, many = "a", "zqxj wvkq zzqx"
    assert len(vocabulary.encode([f"x {few}"])[0]) < len(vocabulary.encode([f"x {many}"])[0])
    items = [question([few, many], "A"), question([few, many], "B"), question([many, few], "B")]
    found = measured(model, vocabulary, {"test": [write(tmp_path / "test.jsonl", items)]}, task="xcsqa")
    assert list(found.figures) == ["acc", "acc_norm", "acc_bytes"]
    assert found.figures["acc"] == pytest.approx(2 / 3)
    assert found.items["acc"].numerators.tolist() == [1, 0, 1]
    assert found.items["acc"].denominators.tolist() == [1, 1, 1]

    def cost(text: str) -> float:
        return len(vocabulary.encode([f"Answer: {text}"])[0]) - len(vocabulary.encode(["Answer:"])[0])

    few_wins = cost(few) / len(few) < cost(many) / len(many)
    assert found.items["acc_norm"].numerators.tolist() == ([1, 0, 1] if few_wins else [0, 1, 0])


@INSTALLED
@pytest.mark.parametrize("name", ["llama-untied", "llama-tied", "gpt2-tied", "gemma-scaled"])
def test_accuracies_are_those_of_the_models_own_chances(name: str, tmp_path: Path) -> None:
    model, vocabulary = loaded(name)
    items = questions(12)
    file = write(tmp_path / "test.jsonl.gz", items)
    found = measured(model, vocabulary, {"test": [file]}, task="xcsqa", add_bos_token=True)
    right = []
    for item in items:
        prompt = f"Question: {item['question']['stem']}\nAnswer:"
        chances = []
        for choice in item["question"]["choices"]:
            start, ids = vocabulary.encode([prompt, f"{prompt} {choice['text']}"])
            ids = [vocabulary.specials["bos"], *ids]
            with torch.no_grad():
                logs = model(input_ids=torch.tensor([ids])).logits[0].float().log_softmax(-1)
            chances.append(sum(logs[i - 1, ids[i]].item() for i in range(len(start) + 1, len(ids))))
        right.append(float("ABCD"[int(np.argmax(chances))] == item["answerKey"]))
    assert found.items["acc"].numerators.tolist() == right
    assert found.figures["acc"] == pytest.approx(np.mean(right))


@INSTALLED
def test_a_model_that_knows_the_answer_gets_it_and_one_that_knows_nothing_is_at_chance(tmp_path: Path) -> None:
    model, vocabulary = loaded()
    items = questions(160, seed=3)
    file = write(tmp_path / "test.jsonl", items)
    guessed = measured(model, vocabulary, {"test": [file]}, task="xcodah", batch_size=64).figures["acc"]
    assert abs(guessed - 0.25) < 3.5 * math.sqrt(0.25 * 0.75 / 160)
    # One word of every right choice, and of no other, is made likely everywhere.
    marked = [
        question([f"green {'water' if label == item['answerKey'] else 'stone'}" for label in "ABCD"], item["answerKey"])
        for item in items[:40]
    ]
    [[*_, known]] = vocabulary.encode(["green water"])
    model.get_output_embeddings().register_forward_hook(
        lambda layer, inputs, logits: logits.index_fill(-1, torch.tensor([known]), 50.0)
    )
    file = write(tmp_path / "marked.jsonl", marked)
    assert measured(model, vocabulary, {"test": [file]}, task="xcodah").figures["acc"] == 1


@INSTALLED
@pytest.mark.parametrize("name", ["llama-untied", "mt5-untied", "t5-tied"])
def test_model_tokenizer_and_random_state_are_left_alone(name: str, tmp_path: Path) -> None:
    model, vocabulary = loaded(name)
    # A configuration that says "tied" over tables that are not, as published mT5 checkpoints have it.
    model.config.tie_word_embeddings = True
    model.train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    head = model.get_output_embeddings().weight
    tokenizer = vocabulary.tokenizer.backend_tokenizer.to_str(), copy.deepcopy(vocabulary.tokenizer.special_tokens_map)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state()  # noqa: NPY002
    found = measured(model, vocabulary, {"test": [write(tmp_path / "test.jsonl", questions(3))]}, task="xcsqa")
    assert math.isfinite(found.figures["acc"])
    assert model.training
    assert "tie_weights" not in vars(model)
    assert model.get_output_embeddings().weight is head
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert tokenizer == (vocabulary.tokenizer.backend_tokenizer.to_str(), vocabulary.tokenizer.special_tokens_map)
    assert states[0] == random.getstate()
    assert states[1] == np.random.get_state()[1].tolist()  # noqa: NPY002
    assert torch.equal(states[2], torch.random.get_rng_state())


@INSTALLED
def test_shots_come_from_their_file_by_the_seed_and_never_hold_the_item_itself(tmp_path: Path) -> None:
    model, vocabulary = loaded()
    files = {
        "test": [write(tmp_path / "test.jsonl", questions(4))],
        "shots": [write(tmp_path / "shots.jsonl", questions(9, seed=5))],
    }
    evaluator = make("evaluator", "lm_eval_harness", {"task": "xcsqa", "shots": 2})
    data = read_data(evaluator, files)
    prompts = []
    for seed in (0, 0, 1):
        evaluator.evaluate(model, vocabulary, data, EvaluationContext(seed))
        prompts.append([instance.args[0] for instance in data.loaded["tasks"]["xcsqa"].instances])
    assert prompts[0] == prompts[1] != prompts[2]
    for prompt in prompts[0]:
        assert prompt.count("Question: 5 ") == 2  # stems of the other file
        assert prompt.count("Question: 0 ") == 1


@INSTALLED
def test_what_was_read_decides_the_hash_and_what_no_model_may_have_seen(tmp_path: Path) -> None:
    evaluator = make("evaluator", "lm_eval_harness", {"task": "xcsqa", "limit": 2})
    first = read_data(evaluator, {"test": [write(tmp_path / "one.jsonl", questions(3))]})
    moved = read_data(evaluator, {"test": [write(tmp_path / "two.jsonl", questions(3))]})
    other = read_data(evaluator, {"test": [write(tmp_path / "three.jsonl", questions(3, seed=1))]})
    assert first.hash == moved.hash != other.hash
    assert first.size == 2
    assert {"0 0?", questions(1)[0]["question"]["choices"][0]["text"]} <= set(first.unseen)
    assert "0 2?" not in first.unseen


@INSTALLED
def test_premises_go_on_with_the_languages_own_words(tmp_path: Path) -> None:
    model, vocabulary = loaded()
    item = {"premise": "Bomba lilifunguliwa.", "choice1": "Choo kilijaa.", "choice2": "Maji yalitiririka.", "label": 1}
    file = write(tmp_path / "sw.jsonl", [item | {"question": "effect"}, item | {"question": "cause"}])
    words = {"cause": "kwa sababu", "effect": "kwa hiyo"}
    evaluator = make("evaluator", "lm_eval_harness", {"task": "xcopa_local", "metadata": words})
    data = read_data(evaluator, {"test": [file]})
    evaluator.evaluate(model, vocabulary, data, EvaluationContext())
    asked = [instance.args for instance in data.loaded["tasks"]["xcopa_local"].instances]
    assert asked == [
        ("Bomba lilifunguliwa kwa hiyo", " choo kilijaa."),
        ("Bomba lilifunguliwa kwa hiyo", " maji yalitiririka."),
        ("Bomba lilifunguliwa kwa sababu", " choo kilijaa."),
        ("Bomba lilifunguliwa kwa sababu", " maji yalitiririka."),
    ]
    with pytest.raises(LexigraftError, match="words for because and so are not given"):
        read_data(make("evaluator", "lm_eval_harness", {"task": "xcopa_local"}), {"test": [file]})


@pytest.fixture
def own_tasks(tmp_path: Path) -> Path:
    """A folder with a group of two tasks, and one that generates, on local files."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    for number, count in enumerate((2, 6)):
        lines = [{"text": f"{WORDS[n]} is", "choices": ["red", "blue"], "gold": n % 2} for n in range(count)]
        write(folder / f"part{number}.jsonl", lines)
        (folder / f"part{number}.yaml").write_text(
            f"task: part{number}\ndataset_path: json\noutput_type: multiple_choice\ntest_split: test\n"
            f"dataset_kwargs: {{data_files: {{test: {folder}/part{number}.jsonl}}}}\n"
            "doc_to_text: text\ndoc_to_choice: choices\ndoc_to_target: gold\n"
            "metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]\n",
            encoding="utf-8",
        )
    (folder / "both.yaml").write_text(
        "group: both\ntask: [part0, part1]\n"
        "aggregate_metric_list: [{metric: acc, aggregation: mean, weight_by_size: false}]\n",
        encoding="utf-8",
    )
    (folder / "says.yaml").write_text(
        f"task: says\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {folder}/part0.jsonl}}}}\n"
        "test_split: test\noutput_type: generate_until\ndoc_to_text: text\ndoc_to_target: '{{choices[gold]}}'\n"
        "generation_kwargs: {until: ['\\n'], max_gen_toks: 3}\n"
        "metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]\n"
        "filter_list:\n  - {name: first-word, filter: [{function: regex, regex_pattern: '(\\w+)'}, "
        "{function: take_first}]}\n",
        encoding="utf-8",
    )
    (folder / "reads.yaml").write_text(
        f"task: reads\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {folder}/part1.jsonl}}}}\n"
        "test_split: test\noutput_type: loglikelihood_rolling\ndoc_to_text: ''\ndoc_to_target: text\n"
        "metric_list: [{metric: bits_per_byte}, {metric: byte_perplexity}]\n",
        encoding="utf-8",
    )
    return folder


@INSTALLED
def test_a_folder_of_tasks_is_read_and_a_group_has_its_own_figure_first(own_tasks: Path, hub_cache: None) -> None:
    model, vocabulary = loaded()
    hook = model.get_output_embeddings().register_forward_hook(
        lambda layer, inputs, logits: logits.index_fill(-1, torch.tensor(vocabulary.encode(["a red"])[0][1:]), 50.0)
    )
    found = measured(model, vocabulary, {"tasks": [str(own_tasks)]}, task="both")
    # The first choice is right in every second item of both parts; the group's mean does not weigh them by size.
    assert found.figures == {"acc": 0.5, "acc_part0": 0.5, "acc_part1": 0.5}
    assert found.items["acc_part1"].numerators.tolist() == [1, 0, 1, 0, 1, 0]
    assert found.items["acc"].numerators.tolist() == [1, 0, 1, 0, 1, 0, 1, 0]
    hook.remove()


@INSTALLED
def test_generated_and_rolling_tasks_get_legal_names_and_items_only_for_means(own_tasks: Path, hub_cache: None) -> None:
    model, vocabulary = loaded()
    files = {"tasks": [str(own_tasks)]}
    said = measured(model, vocabulary, files, task="says")
    assert list(said.figures) == list(said.items) == ["exact_match_first-word"]
    read = measured(model, vocabulary, files, task="reads", metric="byte_perplexity")
    assert list(read.figures) == ["byte_perplexity", "bits_per_byte"]
    assert read.items == {}
    assert read.notes == ("lower is better: bits_per_byte, byte_perplexity",)
    assert read.figures["byte_perplexity"] == pytest.approx(2 ** read.figures["bits_per_byte"])
    with pytest.raises(LexigraftError, match=r"unknown metric of reads: bits_byte\. Did you mean 'bits_per_byte'"):
        measured(model, vocabulary, files, task="reads", metric="bits_byte")


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@INSTALLED
def test_requests_that_do_not_fit_the_model_are_told(tmp_path: Path) -> None:
    model, vocabulary = loaded()
    items = [question(["red", "blue"], "A", " ".join(WORDS * 20)), question(["red", "blue"], "A")]
    found = measured(model, vocabulary, {"test": [write(tmp_path / "t.jsonl", items)]}, task="xcsqa")
    assert found.notes == ("2 of 4 requests are longer than 96 tokens and lost their start",)


@INSTALLED
@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "no items to score"),
        (["{"], r"test.jsonl, line 1\. JSONDecodeError"),
        ([question(["red", "blue"], "A"), {"question": {}}], r"line 2\. KeyError: 'choices'"),
        ([question(["red", "blue"], "F")], r"line 1\. ValueError: 'F' is not in list"),
        ([question(["red", ""], "A")], r"line 1\. an empty choice"),
    ],
)
def test_lines_that_are_no_items_are_refused(lines: list[Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "test.jsonl"
    path.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines), encoding="utf-8")
    with pytest.raises(LexigraftError, match=message):
        read_data(make("evaluator", "lm_eval_harness", {"task": "xcsqa"}), {"test": [str(path)]})


@INSTALLED
def test_few_shot_mistakes_are_refused(tmp_path: Path) -> None:
    test, shots = (write(tmp_path / f"{n}.jsonl", questions(3, seed=n)) for n in (0, 1))
    for options, files, message in [
        ({"shots": 1}, {"test": [test]}, r"too few examples to show: xcsqa, 1 shots.*--data shots=FILE"),
        (
            {"shots": 3},
            {"test": [test], "shots": [shots]},
            r"too few examples to show: xcsqa, 3 shots\. Its pool has 3",
        ),
        ({"shots": 1}, {"test": [test], "shots": [shots, test]}, r"few-shot examples are also test items: 3 of 6"),
    ]:
        with pytest.raises(LexigraftError, match=message):
            read_data(make("evaluator", "lm_eval_harness", {"task": "xcsqa", **options}), files)


@INSTALLED
def test_unknown_tasks_folders_and_files_are_refused(tmp_path: Path) -> None:
    test = write(tmp_path / "test.jsonl", questions(1))
    for options, files, message in [
        ({}, {}, "no task of the harness is named"),
        ({"task": "xcsqa"}, {}, r"reads local files, and none is given.*--data test=FILE"),
        ({"task": "xcsqa"}, {"test": [str(tmp_path / "no.jsonl")]}, r"no\.jsonl"),
        ({"task": "xcsqa"}, {"test": [test], "tasks": ["nowhere"]}, "folder of harness tasks not found: nowhere"),
    ]:
        with pytest.raises(LexigraftError, match=message):
            read_data(make("evaluator", "lm_eval_harness", options), files)


@INSTALLED
@pytest.mark.slow
def test_a_mistyped_task_gets_the_closest_name_and_a_built_in_one_without_a_hub_one_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(
        LexigraftError, match=r"unknown task of the lm-evaluation-harness: xcsqua\. Did you mean 'xcsqa'"
    ):
        read_data(make("evaluator", "lm_eval_harness", {"task": "xcsqua"}), {})
    import datasets

    def offline(*args: Any, **options: Any) -> None:
        raise ConnectionError("no route to the hub")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(LexigraftError, match=r"cannot be read: xcopa_sw\. ConnectionError: no route to the hub"):
        read_data(make("evaluator", "lm_eval_harness", {"task": "xcopa_sw"}), {})


@INSTALLED
def test_a_tokenizer_without_bos_and_eos_is_refused(tmp_path: Path) -> None:
    model, vocabulary = loaded()
    bare = copy.copy(vocabulary)
    object.__setattr__(bare, "specials", {})
    with pytest.raises(LexigraftError, match="neither a bos nor an eos token"):
        measured(model, bare, {"test": [write(tmp_path / "t.jsonl", questions(1))]}, task="xcsqa")


def test_masked_models_are_not_among_its_kinds_and_bad_options_are_refused() -> None:
    assert find("evaluator", "lm_eval_harness").kinds == {"causal", "seq2seq"}
    for field in ("shots", "limit", "batch_size", "max_length"):
        with pytest.raises(LexigraftError, match=f"{field} must be at least"):
            make("evaluator", "lm_eval_harness", {field: -1})


@pytest.mark.skipif(find_spec("lm_eval") is not None, reason="lm-eval is installed")
def test_without_the_package_the_extra_is_named() -> None:
    with pytest.raises(LexigraftError, match=r"lm-eval\. pip install 'lexigraft\[eval\]'"):
        read_data(make("evaluator", "lm_eval_harness", {"task": "xcsqa"}), {})

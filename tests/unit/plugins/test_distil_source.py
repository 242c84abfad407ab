"""Distillation on source text: chunks and divergence by hand, agreement of a model with itself, and what it pulls."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from fixtures.adapting import CORPUS, SETTINGS, load
from lexigraft.adapters.training.adapt import adapt
from lexigraft.core.config.recipe import AdaptSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.folder import write_model
from lexigraft.core.methods.byte_chunks import binary_divergence, common_chunks
from lexigraft.core.tokenization.offsets import TokenSpans
from lexigraft.core.training.objective import read_files, refuse_unsuitable
from lexigraft.plugins.objectives.distil_source import DistilSource

SOURCE = ["The teacher came to the school.", "In the morning the market opens.", "The river runs past the old house."]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("teacher")
    write_model(folder, *load("llama-untied"))
    return str(folder)


@pytest.fixture
def files(teacher: str, tmp_path: Path) -> dict[str, list[str]]:
    path = tmp_path / "source.txt"
    path.write_text("\n".join(SOURCE))
    return {"teacher": [teacher], "text": [str(path)]}


def _spans(*pieces: str) -> TokenSpans:
    ends = np.cumsum([len(piece) for piece in pieces])
    return TokenSpans(np.arange(len(pieces)), ends - [len(piece) for piece in pieces], ends)


def test_chunks_by_hand() -> None:
    """`the| old| house` ends at 3, 7, 13; `th|e old| ho|use` at 2, 7, 10, 13: chunks end at 7 and 13."""
    one, other = _spans("the", " old", " house"), _spans("th", "e old", " ho", "use")
    assert [side.tolist() for side in common_chunks(one, other, (9, 9))] == [[0, 0, 1], [0, 0, 1, 1]]
    # With three tokens of the second at most, its chunk that ends at 13 is cut off on both sides.
    assert [side.tolist() for side in common_chunks(one, other, (9, 3))] == [[0, 0, -1], [0, 0, -1, -1]]
    assert [side.tolist() for side in common_chunks(one, _spans("the o", "ld house!"), (9, 9))] == [[-1] * 3, [-1] * 2]


def test_divergence_by_hand() -> None:
    """0.8 ln(0.8 / 0.5) + 0.2 ln(0.2 / 0.5) = 0.3760 - 0.1833 = 0.1927.

    At temperature 2 the probabilities are sqrt(0.8) = 0.8944 and sqrt(0.5) = 0.7071:
    0.8944 ln(0.8944 / 0.7071) + 0.1056 ln(0.1056 / 0.2929) = 0.2102 - 0.1077 = 0.1025.
    """
    teacher, student = torch.tensor([0.8]).log(), torch.tensor([0.5]).log()
    assert binary_divergence(teacher, student, 1.0).item() == pytest.approx(0.1927, abs=1e-4)
    assert binary_divergence(teacher, student, 2.0).item() == pytest.approx(0.1025, abs=1e-4)
    assert binary_divergence(teacher, teacher, 2.0).item() == pytest.approx(0, abs=1e-7)
    assert binary_divergence(torch.zeros(1), student, 1.0).isfinite().all()  # a chunk that is certain


@pytest.mark.parametrize("prefix", [True, False])
def test_a_model_agrees_with_itself(files: dict[str, list[str]], prefix: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where no token stands before a line: its first chunk is then left out."""
    if not prefix:
        monkeypatch.setattr("lexigraft.plugins.objectives.distil_source._prefix", lambda vocabulary: [])
    model, vocabulary = load("llama-untied")
    objective = DistilSource(temperature=1.0)
    ready = objective.prepared(objective.read(files), vocabulary, model.config, 64)
    lengths = [len(ids) - (not prefix) for ids in vocabulary.encode(SOURCE)]
    assert (ready.material.labels != -100).sum(1).tolist() == lengths
    assert ready.divergence(model, torch.arange(3)).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("name", ["gpt2-tied", "gemma-scaled"])
def test_divergence_is_that_of_the_chunks(name: str, files: dict[str, list[str]], teacher: str) -> None:
    """Every chunk's likelihoods worked out from whole lines, by text: a boundary is where the bytes so far agree."""
    student, vocabulary = load(name)
    other, others = load("llama-untied")
    objective = DistilSource(temperature=10.0)
    data = objective.read(files)
    ready = objective.prepared(data, vocabulary, student.config, 64)
    expected: list[float] = []
    for line in SOURCE:
        sums = []
        for model, words in ((other, others), (student, vocabulary)):
            encoding = words.tokenizer.backend_tokenizer.encode(line, add_special_tokens=False)
            first = words.specials.get("bos", words.specials.get("eos"))
            logs = torch.log_softmax(model(input_ids=torch.tensor([[first, *encoding.ids]])).logits[0], 1)
            total, at = 0.0, {0: 0.0}
            for n, (i, (_, end)) in enumerate(zip(encoding.ids, encoding.offsets, strict=True)):
                total += logs[n, i].item()
                at[end] = total
            sums.append(at)
        bounds = sorted(set(sums[0]) & set(sums[1]))
        for start, end in pairwise(bounds):
            of_teacher, of_student = (math.exp((at[end] - at[start]) / 10) for at in sums)
            expected.append(
                of_teacher * math.log(of_teacher / of_student)
                + (1 - of_teacher) * math.log((1 - of_teacher) / (1 - of_student))
            )
    assert len(expected) > 3 * len(SOURCE)
    assert ready.divergence(student, torch.arange(3)).item() == pytest.approx(sum(expected) / len(expected), abs=1e-5)


def test_the_student_comes_closer_to_the_teacher(files: dict[str, list[str]]) -> None:
    student, vocabulary = load("gpt2-tied")
    objective = DistilSource(weight=5.0, lines_per_sequence=2)
    data = objective.read(files)
    ready = objective.prepared(data, vocabulary, student.config, 32)
    before = ready.divergence(student, torch.arange(3)).item()
    settings = AdaptSettings(**{**SETTINGS, "steps": 10, "body": "full"})
    result = adapt(student, vocabulary, CORPUS, settings, objective=objective, data=data)
    with_teacher = ready.divergence(result.model, torch.arange(3)).item()
    assert with_teacher < before / 2
    again, _ = load("gpt2-tied")
    without = adapt(again, vocabulary, CORPUS, settings, objective=ready.usual)
    assert with_teacher < ready.divergence(without.model, torch.arange(3)).item() / 2


def test_bad_input_is_refused(files: dict[str, list[str]], teacher: str, tmp_path: Path) -> None:
    objective = DistilSource()
    with pytest.raises(LexigraftError, match="needs more files: teacher, text"):
        read_files(objective, {})
    with pytest.raises(LexigraftError, match="one teacher"):
        read_files(objective, {**files, "teacher": [teacher, teacher]})
    with pytest.raises(LexigraftError, match="every training line occurs in the held-out text"):
        read_files(objective, files, unseen=SOURCE)
    assert list(objective.read(files, unseen=SOURCE[:2]).lines) == SOURCE[2:]
    assert list(DistilSource(lines=1).read(files).lines) == SOURCE[:1]
    masked = tmp_path / "masked"
    masked.mkdir()
    write_model(masked, *load("roberta-tied-bias"))
    with pytest.raises(LexigraftError, match=r"the teacher must be a causal model: .*, masked"):
        read_files(objective, {**files, "teacher": [str(masked)]})
    with pytest.raises(LexigraftError, match="'distil_source' does not suit a masked model"):
        refuse_unsuitable(objective, load("roberta-tied-bias")[0].config)
    model, vocabulary = load("gpt2-tied")
    with pytest.raises(LexigraftError, match="no chunk of the source text ends in both tokenizations: 3 lines"):
        objective.prepared(objective.read(files), vocabulary, model.config, 1)  # no room but for the prefix
    for wrong in ({"weight": 0.0}, {"temperature": 0.0}, {"lines": 0}, {"lines_per_sequence": 0}):
        with pytest.raises(ValueError, match="must be"):
            DistilSource(**wrong)

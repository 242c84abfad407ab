"""TransliCo: its loss by hand, its rows, and that lines and their transliterations become neighbors."""

from __future__ import annotations

import codecs
import math
from pathlib import Path

import pytest
import torch

from fixtures.adapting import SETTINGS, load
from lexigraft.adapters.training.adapt import adapt, checked_phases
from lexigraft.core.config.recipe import AdaptSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.hidden_states import pooled_states
from lexigraft.core.training.contrast import pair_contrast
from lexigraft.core.training.objective import read_files, refuse_unsuitable
from lexigraft.plugins.objectives.translico import Translico
from lexigraft.testing.sample_text import SOURCE_TEXT

Given = dict[str, list[str]]
LINES = [line for line in dict.fromkeys(SOURCE_TEXT.splitlines()) if line.strip()][:6]
WRITTEN = [codecs.encode(line, "rot13") for line in LINES]


@pytest.fixture
def given(tmp_path: Path) -> Given:
    path = tmp_path / "transliterations.tsv"
    path.write_text("".join(f"{a}\t{b}\n" for a, b in zip(LINES, WRITTEN, strict=True)), encoding="utf-8")
    return {"transliterations": [str(path)]}


def test_dot_products_by_hand() -> None:
    """Raw dot products as published: a line of a longer vector finds its transliteration more surely."""
    pairs = torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    # The first two see 2 against 0 and 0: log(e^2 + 2) - 2 = 0.2395; the others 3: log(e^3 + 2) - 3 = 0.0949.
    by_hand = (2 * (math.log(math.e**2 + 2) - 2) + 2 * (math.log(math.e**3 + 2) - 3)) / 4
    assert pair_contrast(pairs, 1.0).item() == pytest.approx(by_hand, abs=1e-6) == pytest.approx(0.1672, abs=1e-4)


@pytest.mark.parametrize("options", [{}, {"pooling": "cls", "normalize": True, "temperature": 0.5, "weight": 2.0}])
@pytest.mark.parametrize("name", ["roberta-tied-bias", "bert-tied-bias"])
def test_loss_is_that_of_each_side_read_alone(name: str, options: dict[str, object], given: Given) -> None:
    """MLM(line) + MLM(transliteration) + weight x TCM, worked out from unpadded sides."""
    model, vocabulary = load(name)
    objective = Translico(layer=1, mask_share=0.3, **options)
    ready = objective.prepared(objective.read(given), vocabulary, model.config, 64)
    rows = torch.from_numpy(ready.pack(vocabulary, LINES, 64).rows[:3]).long()
    batch = ready.batch(rows, vocabulary, torch.Generator().manual_seed(2))
    vectors: list[torch.Tensor] = []
    special = vocabulary.special_ids
    nats: list[list[float]] = [[], []]
    for row in range(3):
        for side in range(2):
            length = int(batch["attention_mask"][row, side].sum())
            ids, labels = batch["input_ids"][row, side, :length], batch["labels"][row, side, :length]
            output = model(input_ids=ids[None], output_hidden_states=True)
            of_tokens = torch.log_softmax(output.logits[0], 1)
            nats[side] += [-of_tokens[n, i].item() for n, i in enumerate(labels.tolist()) if i != -100]
            own = output.hidden_states[1][0]
            text = [n for n, i in enumerate(rows.view(3, 2, 32)[row, side].tolist()) if i not in special]
            vectors.append(own[0] if objective.pooling == "cls" else own[text].mean(0))
    states = torch.stack(vectors)
    if objective.normalize:
        states = states / states.norm(dim=1, keepdim=True)
    similarities = (states @ states.T / objective.temperature).fill_diagonal_(float("-inf"))
    partners = [1, 0, 3, 2, 5, 4]
    contrast = sum(-torch.log_softmax(similarities[n], 0)[p].item() for n, p in enumerate(partners)) / 6 / 2
    expected = sum(sum(side) / len(side) for side in nats) + objective.weight * contrast
    assert ready.loss(model, batch).item() == pytest.approx(expected, abs=1e-4)
    assert ready.predicted(batch) == sum(map(len, nats))


def test_rows_are_a_line_and_its_transliteration(given: Given) -> None:
    model, vocabulary = load("roberta-tied-bias")
    objective = Translico()
    ready = objective.prepared(objective.read(given), vocabulary, model.config, 40)
    rows = ready.pack(vocabulary, LINES, 40).rows
    assert rows.shape == (len(LINES), 40)
    first, last, pad = (vocabulary.specials[role] for role in ("cls", "sep", "pad"))
    for row, *texts in zip(rows.reshape(-1, 2, 20).tolist(), LINES, WRITTEN, strict=True):
        for side, ids in zip(row, vocabulary.encode(texts), strict=True):
            framed = [first, *ids[:18], last]
            assert side == framed + [pad] * (20 - len(framed))


def test_lines_and_transliterations_become_neighbors(given: Given) -> None:
    model, vocabulary = load("roberta-tied-bias")
    objective = Translico(weight=10.0, normalize=True, temperature=0.1)
    changes = {"steps": 30, "batch_tokens": 6 * 64, "sequence_length": 64, "body": "full", "learning_rate": 5e-3}
    settings = AdaptSettings(**{**SETTINGS, **changes})

    def neighbors() -> list[int]:
        left, right = (pooled_states(model, vocabulary, text, layer=1).vectors[0] for text in (LINES, WRITTEN))
        return (torch.nn.functional.normalize(left) @ torch.nn.functional.normalize(right).T).argmax(1).tolist()

    assert neighbors() != list(range(len(LINES)))
    adapt(model, vocabulary, Corpus.of(LINES), settings, objective=objective, data=objective.read(given))
    assert neighbors() == list(range(len(LINES)))


def test_bad_input_is_refused(tmp_path: Path, given: Given) -> None:
    model, vocabulary = load("roberta-tied-bias")
    objective = Translico()
    ready = objective.prepared(objective.read(given), vocabulary, model.config, 64)
    with pytest.raises(LexigraftError, match="have no transliteration: 1 of 7, such as: unseen"):
        ready.pack(vocabulary, [*LINES, "unseen"], 64)
    with pytest.raises(LexigraftError, match="two lines or more: 1 of 1"):
        ready.pack(vocabulary, LINES[:1], 64)
    rows = torch.from_numpy(ready.pack(vocabulary, LINES, 64).rows[:1]).long()
    with pytest.raises(LexigraftError, match=r"a batch of one line .*: translico\. Give batch_tokens"):
        ready.batch(rows, vocabulary, torch.Generator())
    with pytest.raises(LexigraftError, match="the tokenizer puts no token before a text"):
        Translico(pooling="cls").prepared(objective.read(given), load("t5-tied")[1], model.config, 64)
    path = tmp_path / "wrong.tsv"
    path.write_text(f"{LINES[0]}\t{LINES[0]}\n{LINES[1]}\t{LINES[1]}\n")
    same = objective.prepared(read_files(objective, {"transliterations": [str(path)]}), vocabulary, model.config, 64)
    with pytest.raises(LexigraftError, match="leaves the text as it is: the given file"):
        same.pack(vocabulary, LINES[:2], 64)
    path.write_text(f"{LINES[0]}\n")
    with pytest.raises(LexigraftError, match=r"no transliteration in this line: .*, line 1\. Write"):
        read_files(objective, {"transliterations": [str(path)]})
    with pytest.raises(LexigraftError, match=r"none\.tsv"):
        read_files(objective, {"transliterations": [str(tmp_path / "none.tsv")]})
    path.write_text("")
    with pytest.raises(LexigraftError, match="hold no transliteration"):
        read_files(objective, {"transliterations": [str(path)]})
    with pytest.raises(LexigraftError, match=r"no such layer: -4\."):
        refuse_unsuitable(Translico(layer=-4), model.config)
    with pytest.raises(LexigraftError, match="does not suit a causal model"):
        refuse_unsuitable(objective, load("llama-untied")[0].config)
    for settings in ({"augment": ["leia"]}, {"documents": "joined"}):
        with pytest.raises(LexigraftError, match="lays out the training text itself: translico"):
            checked_phases(model, AdaptSettings(**settings), objective, None)
    for wrong in ({"weight": 0.0}, {"temperature": 0.0}, {"mask_share": 1.0}):
        with pytest.raises(ValueError, match="must"):
            Translico(**wrong)

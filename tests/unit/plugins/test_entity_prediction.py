"""Entity prediction: what is hidden and what is predicted, by the table of the paper; entities through packing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fixtures.annotated import NAMES, annotated, documents
from fixtures.commands import lexigraft
from lexigraft.core.data.annotated_text import write_annotated
from lexigraft.core.data.augmentation import augment
from lexigraft.core.data.augmenter import Augmenter
from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import make
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.training.augmented_text import marked_ids
from lexigraft.core.training.packing import ENTITY, ENTITY_START, NO_LOSS, Unmarked
from lexigraft.plugins.augmenters.entity_switch import EntitySwitch
from lexigraft.plugins.augmenters.leia import Leia
from lexigraft.plugins.objectives.entity_prediction import EntityPrediction
from lexigraft.testing.tiny_models import fixture

ROWS, LENGTH = 400, 40


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    _, tokenizer, _ = fixture("roberta-tied-bias")
    return Vocabulary.of(tokenizer)


@pytest.fixture(scope="module")
def rows(vocabulary: Vocabulary) -> tuple[torch.Tensor, torch.Tensor]:
    """400 rows of 40 ordinary tokens, with entities of two tokens at 10 and 12 and one of six at 20: 4,000 tokens."""
    ordinary = [i for i in range(vocabulary.size) if i not in vocabulary.special_ids]
    ids = torch.tensor(np.random.default_rng(0).choice(ordinary, (ROWS, LENGTH)))
    numbers = torch.zeros(LENGTH, dtype=torch.long)
    numbers[10:12], numbers[12:14], numbers[20:26] = 1, 2, 3
    return ids, numbers.expand(ROWS, LENGTH)


def fates(vocabulary: Vocabulary, rows: tuple[torch.Tensor, torch.Tensor], **options: Any) -> dict[str, torch.Tensor]:
    ids, numbers = rows
    made = EntityPrediction(**options).batch(ids, vocabulary, torch.Generator().manual_seed(0), None, numbers)
    masked = made["input_ids"] == vocabulary.specials["mask"]
    same = made["input_ids"] == ids
    learned = made["labels"] != -100
    assert (made["labels"][learned] == ids[learned]).all()
    return {"masked": masked, "same": same, "random": ~masked & ~same, "learned": learned, "entity": numbers > 0}


def about(found: torch.Tensor, among: torch.Tensor, share: float) -> None:
    """The share, within five standard deviations of so many draws."""
    n = int(among.sum())
    assert abs(float((found & among).sum()) / n - share) <= 5 * (share * (1 - share) / n) ** 0.5 + 1e-9


@pytest.mark.parametrize(
    ("masking", "masked", "random", "learned"),
    # Of all tokens of entities; a random token is by chance the token itself in one of some hundred cases.
    [("pep_mrs", 0.8, 0.1, 1.0), ("pep_ms", 0.8, 0.0, 1.0), ("pep_m", 0.8, 0.0, 0.8)],
)
def test_tokens_of_entities_are_hidden_one_by_one(
    vocabulary: Vocabulary, rows: Any, masking: str, masked: float, random: float, learned: float
) -> None:
    found = fates(vocabulary, rows, masking=masking)
    about(found["masked"], found["entity"], masked)
    about(found["random"], found["entity"], random)
    about(found["learned"], found["entity"], learned)
    assert found["same"][~found["entity"]].all()
    assert not found["learned"][~found["entity"]].any()
    if masking == "pep_m":
        assert (found["learned"] == found["masked"]).all()
    assert 0 < int(found["masked"][:, 10].sum()) != int((found["masked"][:, 10] & found["masked"][:, 11]).sum())


def test_whole_entities_are_hidden_or_stay_whole(vocabulary: Vocabulary, rows: Any) -> None:
    found = fates(vocabulary, rows, masking="wep")
    assert (found["learned"] == found["entity"]).all()
    assert not found["random"].any()
    for first, last in ((10, 12), (12, 14), (20, 26)):
        part = found["masked"][:, first:last]
        assert (part.all(1) == part.any(1)).all()
        about(part[:, 0], torch.ones(ROWS, dtype=torch.bool), 0.8)
    # Neighbors are entities of their own: 0.8 * 0.2 + 0.2 * 0.8 = 0.32 of the rows hide one of the two.
    about(found["masked"][:, 11] != found["masked"][:, 12], torch.ones(ROWS, dtype=torch.bool), 0.32)


@pytest.mark.parametrize("masking", ["wep", "pep_ms", "pep_mrs"])
def test_with_mlm_half_of_the_entities_and_15_percent_of_the_rest(
    vocabulary: Vocabulary, rows: Any, masking: str
) -> None:
    found = fates(vocabulary, rows, masking=masking, mlm=True)
    ends = found["entity"].clone()
    ends[:, [11, 13, *range(21, 26)]] = False  # one token of each entity, so that draws are independent
    about(found["learned"], ends, 0.5)
    about(found["masked"], ends, 0.4)  # 0.5 * 0.8
    about(found["learned"], ~found["entity"], 0.15)
    about(found["masked"], ~found["entity"], 0.12)  # 0.15 * 0.8
    about(found["random"], ~found["entity"], 0.015)  # 0.15 * 0.1


def test_what_is_not_predictable_or_special_stays(vocabulary: Vocabulary, rows: Any) -> None:
    ids, numbers = rows[0].clone(), rows[1]
    ids[:, 10] = vocabulary.specials["sep"]
    predictable = torch.ones_like(ids, dtype=torch.bool)
    predictable[:, 20:23] = False
    for masking in ("wep", "pep_mrs"):
        objective = EntityPrediction(masking=masking)  # type: ignore[arg-type]
        made = objective.batch(ids, vocabulary, torch.Generator().manual_seed(0), predictable, numbers)
        for kept in (10, 20, 22):
            assert (made["input_ids"][:, kept] == ids[:, kept]).all()
            assert (made["labels"][:, kept] == -100).all()
        assert (made["labels"][:, 11] == ids[:, 11]).all()


def test_a_batch_without_entities_teaches_nothing() -> None:
    model, tokenizer, _ = fixture("roberta-tied-bias")
    vocabulary = Vocabulary.of(tokenizer)
    ids = torch.tensor(vocabulary.encode(["The river runs past the old house."]))
    made = EntityPrediction().batch(ids, vocabulary, torch.Generator(), None, torch.zeros_like(ids))
    assert (made["input_ids"] == ids).all()
    assert EntityPrediction().predicted(made) == 0
    assert EntityPrediction().loss(model, made).item() == 0
    whole = EntityPrediction().batch(ids, vocabulary, torch.Generator(), None, torch.ones_like(ids))
    assert EntityPrediction().loss(model, whole).item() == pytest.approx(model(**whole).loss.item(), abs=1e-5)


@pytest.mark.parametrize(
    ("augmenter", "entities"),
    [
        (EntitySwitch(p=1), ["Mayu", "Qhatu"]),
        (EntitySwitch(p=1, tags=True, languages=("en",)), ["<en>Mayu</en>", "<en>Qhatu</en>"]),
        (Leia(p=1, tags=False), ["river", "market"]),
        (Leia(p=0), ["river", "market"]),
    ],
)
def test_tokens_of_entities_are_marked_after_augmentation(
    vocabulary: Vocabulary, augmenter: Augmenter, entities: list[str]
) -> None:
    from lexigraft.core.tokenization.editing.new_tokens import with_tokens

    document = annotated("The river and the market.", ("river", "Mayu"), ("market", "Qhatu"))
    grown = with_tokens(vocabulary, list(augmenter.added_tokens()))
    [marked] = marked_ids(grown, [augment(document, [augmenter], 0, 0)], entities=True)
    text = Unmarked.of(np.array(marked, np.int32))
    shown = [grown.tokenizer.decode(text.ids[text.entities == number]).strip() for number in (1, 2)]
    assert shown == entities
    assert text.entities.max() == 2
    assert text.ids.tolist() == [i & ~(ENTITY | ENTITY_START | NO_LOSS) for i in marked]


def test_entities_are_numbered_in_every_row_also_where_one_is_cut() -> None:
    first, inside = ENTITY | ENTITY_START, ENTITY
    # Row one: a cut entity, then two neighbors. Row two: begins with the frame's token, then the rest of an entity.
    marked = np.array([[5 | inside, 6 | inside, 7 | first, 8 | first, 9], [1, 5 | inside, 6, 7 | first, 8 | inside]])
    text = Unmarked.of(marked.astype(np.int32))
    assert text.ids.tolist() == [[5, 6, 7, 8, 9], [1, 5, 6, 7, 8]]
    assert text.entities.tolist() == [[1, 1, 2, 3, 0], [0, 1, 0, 2, 2]]


@pytest.mark.parametrize(
    "options", [{"masking": "PEP"}, {"entity_share": 0}, {"mask_share": 1}, {"logits_per_block": 0}]
)
def test_options_that_cannot_be(options: dict[str, Any]) -> None:
    with pytest.raises(LexigraftError):
        make("objective", "entity_prediction", options)


def test_adapt_predicts_entities_of_switched_text_and_refuses_text_without_anchors(tmp_path: Path) -> None:
    model, tokenizer, _ = fixture("roberta-tied-bias")
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    write_annotated(tmp_path / "text.jsonl", documents())
    (tmp_path / "plain.txt").write_text("\n".join(f"{n} {name}" for n, name in enumerate(NAMES)))
    command = [
        "adapt", str(tmp_path / "model"), "--out", str(tmp_path / "out"), "--objective",
        "entity_prediction:masking=wep,mlm=true", "--steps", "2", "--batch-tokens", "64", "--sequence-length", "32",
    ]  # fmt: skip
    refused = lexigraft(*command, "--corpus", str(tmp_path / "plain.txt"))
    assert refused.code == 2
    assert "annotated text is JSON lines or Parquet" in refused.err
    done = lexigraft(*command, "--corpus", str(tmp_path / "text.jsonl"), "--augment", "entity_switch:p=0.5", "--json")
    assert done.code == 0, done
    assert done.json["last_loss"] > 0

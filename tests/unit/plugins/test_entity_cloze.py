"""Cloze questions about entities: which are asked, and how names are ranked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fixtures.adapting import load
from fixtures.annotated import annotated
from lexigraft.core.data.annotated_text import AnnotatedText, write_annotated
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.choices import Question, log_likelihoods
from lexigraft.core.evaluation.entity_questions import entity_questions
from lexigraft.core.evaluation.evaluator import EvaluationContext
from lexigraft.plugins.evaluators.entity_cloze import EntityCloze

DOCUMENTS = [
    annotated(
        "Wien, an der Donau, ist die Stadt Wien, wo die Moldau nicht fließt.",
        ("Donau", "Danube"),
        ("Wien", "Vienna"),
        ("Moldau", "Vltava"),
    ),
    annotated("Die Reise ging im Sommer nach Prag und weiter.", ("Prag", "Prague")),
    annotated("Die Reise ging im Winter nach Linz und weiter.", ("Linz", "Linz")),
    annotated("Die Reise ging im Herbst nach Graz und weiter.", ("Graz", "Graz"), language="sl"),
]


def asked(documents: list[AnnotatedText] = DOCUMENTS, **options: Any) -> list[Any]:
    given = {"language": "en", "distractors": 2, "context_characters": 400, "least_context": 9, **options}
    return entity_questions(documents, **given)


def test_only_known_entities_that_nothing_before_gives_away_are_asked() -> None:
    found = asked()
    # Wien stands in the text before its anchor; Graz has no English name.
    assert [one.names[0] for one in found] == ["Donau", "Moldau", "Prag", "Linz"]
    assert [one.known_as for one in found] == ["Danube", "Vltava", "Prague", "Linz"]
    assert found[0].context == "Wien, an der "
    assert [one.names[0] for one in asked(least_context=14)] == ["Moldau", "Prag", "Linz"]
    assert {one.names[0]: one.context for one in asked(context_characters=10)}["Moldau"] == "n, wo die "


def test_other_names_are_of_entities_that_the_document_does_not_mention() -> None:
    for one in asked():
        assert len(set(one.names)) == 3
    assert all(set(one.names[1:]) == {"Prag", "Linz"} for one in asked()[:2])
    assert asked(distractors=3)[0:1] != asked()[0:1]
    assert [one.names[0] for one in asked(distractors=3)] == ["Prag", "Linz"]


def test_questions_are_the_same_each_time_and_few_entities_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.jsonl"
    write_annotated(path, DOCUMENTS)
    evaluator = EntityCloze(distractors=2, least_context=9)
    data = evaluator.read({"test": [str(path)]})
    assert data == evaluator.read({"test": [str(path)]})
    assert data.size == 4
    assert set(data.unseen) == {document.text for document in DOCUMENTS}
    assert EntityCloze(distractors=2, least_context=9, questions=2).read({"test": [str(path)]}).size == 2
    with pytest.raises(LexigraftError, match=r"no questions about entities.*4 documents, 5 anchors with a name"):
        EntityCloze(distractors=9).read({"test": [str(path)]})


@pytest.mark.parametrize("name", ["llama-untied", "bert-tied-bias", "t5-tied"])
def test_scores_are_those_of_the_names(name: str, tmp_path: Path) -> None:
    model, vocabulary = load(name)
    write_annotated(tmp_path / "text.jsonl", DOCUMENTS)
    evaluator = EntityCloze(distractors=2, least_context=9)
    data = evaluator.read({"test": [str(tmp_path / "text.jsonl")]})
    found = evaluator.evaluate(model, vocabulary, data, EvaluationContext())
    nats = log_likelihoods(model, vocabulary, [Question(one.context, one.names) for one in data.questions])
    by_byte = [one / [len(n.encode()) for n in q.names] for one, q in zip(nats, data.questions, strict=True)]
    assert found.items["accuracy"].numerators.tolist() == [float(one.argmax() == 0) for one in nats]
    assert found.items["accuracy_bytes"].numerators.tolist() == [float(one.argmax() == 0) for one in by_byte]
    ranks = [1 + int((one > one[0]).sum()) for one in by_byte]
    np.testing.assert_allclose(found.items["reciprocal_rank"].numerators, 1 / np.array(ranks))
    assert found.main == "accuracy"
    assert found.figures["chance"] == pytest.approx(1 / 3)


def test_a_model_that_learned_the_text_recalls_the_names(tmp_path: Path) -> None:
    """A known answer: trained on nothing but the documents, the model finds every name; untrained it does not."""
    model, vocabulary = load("llama-untied")
    write_annotated(tmp_path / "text.jsonl", DOCUMENTS)
    evaluator = EntityCloze(distractors=2, least_context=9)
    data = evaluator.read({"test": [str(tmp_path / "text.jsonl")]})
    before = evaluator.evaluate(model, vocabulary, data, EvaluationContext()).figures["accuracy"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    bos = vocabulary.specials["bos"]
    lines = [torch.tensor([[bos, *ids]]) for ids in vocabulary.encode([document.text for document in DOCUMENTS])]
    model.train()
    for _ in range(25):
        for ids in lines:
            optimizer.zero_grad()
            model(input_ids=ids, labels=ids).loss.backward()
            optimizer.step()
    model.eval()
    after = evaluator.evaluate(model, vocabulary, data, EvaluationContext()).figures
    assert after["accuracy"] == after["reciprocal_rank"] == 1.0 > before


@pytest.mark.parametrize("option", ["distractors", "questions", "least_context", "max_length", "context_characters"])
def test_options_that_belong_to_no_question_are_refused(option: str) -> None:
    with pytest.raises(ValueError, match="at least"):
        EntityCloze(**{option: 0})

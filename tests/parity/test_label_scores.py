"""Entities and answers are scored as seqeval 1.2.2 (strict IOB2) and transformers 4's SQuAD metrics score them."""

from __future__ import annotations

import numpy as np
import pytest

from lexigraft.core.data.squad import exact_match, normalized, word_f1
from lexigraft.core.evaluation.label_scores import entity_scores
from parity.environments import SEQEVAL, TRANSFORMERS_4, ask

pytestmark = [pytest.mark.parity, pytest.mark.slow]
LABELS = ["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"]
WORDS = ["The", "a", "Cusco", "cusco,", "(An", "city)", "co-op", "Lima", "¡Ñan!", "the."]


def test_entities_of_random_labels_score_as_in_seqeval() -> None:
    draw = np.random.default_rng(0)
    cases = []
    for _ in range(60):
        lengths = draw.integers(1, 12, 20)
        sides = ([[str(label) for label in draw.choice(LABELS, n)] for n in lengths] for _ in range(2))
        cases.append(dict(zip(("gold", "predicted"), sides, strict=True)))
    theirs = ask(SEQEVAL, "seqeval_worker.py", {"cases": cases})["scores"]
    for case, expected in zip(cases, theirs, strict=True):
        ours = entity_scores(case["gold"], case["predicted"])
        assert list(ours.figures.values()) == pytest.approx(expected, abs=1e-12)


def test_answers_score_as_in_transformers_4() -> None:
    draw = np.random.default_rng(0)

    def answer() -> str:
        return " ".join(str(word) for word in draw.choice(WORDS, draw.integers(1, 6)))

    pairs = [(answer(), [answer() for _ in range(draw.integers(1, 4))]) for _ in range(500)]
    theirs = ask(TRANSFORMERS_4, "squad_worker.py", {"pairs": pairs})
    assert [normalized(found) for found, _ in pairs] == theirs["normalized"]
    assert [exact_match(*pair) for pair in pairs] == theirs["exact"]
    assert [word_f1(*pair) for pair in pairs] == pytest.approx(theirs["f1"], abs=1e-12)

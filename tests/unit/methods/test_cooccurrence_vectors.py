"""Vectors from the tokens nearby, worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from fixtures.small_worlds import words
from lexigraft.core.methods.cooccurrence_vectors import cooccurrence_vectors

VOCABULARY = words("sun", "moon", "star", "rare", "lonely")
SUN, MOON, STAR, RARE, LONELY = 2, 3, 4, 5, 6
LINES = ["sun moon"] * 4 + ["sun star"] * 4 + ["rare sun", "lonely", "lonely", "never"]


def test_vectors_are_the_directions_of_the_mutual_information() -> None:
    # Neighbours: sun has moon 4 times and star 4 times (rare is too rare to count), moon and star have sun 4 times.
    # Their shares to the power of 0.75: 8^0.75 = 4.757 for sun, 4^0.75 = 2.828 for the others; of 10.414 that is 0.4568
    # and 0.2716. Information: sun with moon log(4 / (8 * 0.2716)), moon with sun log(4 / (4 * 0.4568)). There are two
    # directions: sun alone, of strength sqrt(2) * 0.7835, and moon and star together, of strength sqrt(2) * 0.6104; a
    # vector is the strength that a token has in them over the root of the direction's.
    of_sun, of_moon = math.log(4 / (8 * 0.27158)), math.log(4 / (4 * 0.45684))
    found = cooccurrence_vectors(VOCABULARY, LINES, window=1, dim=9, min_count=2)
    assert found.present.nonzero()[0].tolist() == [SUN, MOON, STAR]
    lengths = found.vectors.norm(dim=1)
    assert lengths[SUN].item() == pytest.approx(math.sqrt(of_sun * math.sqrt(2)), abs=1e-3)
    assert lengths[MOON].item() == pytest.approx(of_moon / math.sqrt(of_moon * math.sqrt(2)), abs=1e-3)
    assert (found.vectors[SUN] @ found.vectors[MOON]).item() == pytest.approx(0, abs=1e-5)
    torch.testing.assert_close(found.vectors[MOON], found.vectors[STAR], atol=1e-5, rtol=0)
    assert not lengths[[RARE, LONELY, 0, 1]].any()


def test_a_text_of_two_tokens_has_no_directions() -> None:
    assert not cooccurrence_vectors(VOCABULARY, ["sun moon"] * 9, window=1, dim=9, min_count=2).present.any()
    assert not cooccurrence_vectors(VOCABULARY, [], window=1, dim=9, min_count=2).present.any()

"""Predicted speed with another vocabulary: fewer tokens of a text against a larger head."""

from __future__ import annotations


def predicted_speed(length: float, before: int, after: int, hidden: int, body: int) -> float:
    """How many times as fast a model with a head at every position goes through a text.

    A token costs a multiplication for each parameter of the body and of the output table, ``body + tokens * hidden``;
    attention over the context, which a shorter text makes cheaper, is left out. So the speed is
    ``(body + before * hidden) / (length * (body + after * hidden))``.

    Args:
        length: Tokens of the text with the new vocabulary over those with the old one.
        before: Tokens of the old vocabulary.
        after: Tokens of the new vocabulary.
        hidden: Width of the model's tables.
        body: Parameters of the model but for its tables.
    """
    return (body + before * hidden) / (length * (body + after * hidden))

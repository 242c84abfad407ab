"""Optional values that a caller knows are there, for the type checker."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def not_none(value: T | None) -> T:
    """The value, which the caller knows is not ``None``."""
    assert value is not None
    return value

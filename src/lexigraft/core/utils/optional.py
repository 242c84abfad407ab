"""Optional values."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """The value, which the caller knows is not ``None``."""
    assert value is not None
    return value

"""Checking a strategy against the contract."""

from __future__ import annotations

import dataclasses
from typing import Any

from lexigraft.core.registry import resolve


def check(name: str) -> list[dict[str, Any]]:
    """Run every law of the contract on a strategy, on every fixture model.

    Args:
        name: The strategy's name, or an alias, which is checked with the fields it stands for.

    Returns:
        One record for each law and fixture: law, fixture, outcome ("passed", "failed" or "not applicable"), reason.

    Raises:
        UnknownName: No strategy has this name.
    """
    plugin, preset = resolve("strategy", name)
    from lexigraft.core.checks import run_checks

    return [dataclasses.asdict(outcome) for outcome in run_checks(plugin, fields=preset)]

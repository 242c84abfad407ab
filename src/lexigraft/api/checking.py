"""Checking a strategy against the contract."""

from __future__ import annotations

import dataclasses
from typing import Any

from lexigraft.core.errors import UnknownName
from lexigraft.core.registry import discover


def check(name: str) -> list[dict[str, Any]]:
    """Run every law of the contract on a strategy, on every fixture model.

    Args:
        name: The strategy's name.

    Returns:
        One record for each law and fixture: law, fixture, outcome ("passed", "failed" or "not applicable"), reason.

    Raises:
        UnknownName: No strategy has this name.
    """
    plugins = discover("strategy")
    if name not in plugins:
        raise UnknownName("strategy", name, plugins)
    from lexigraft.core.checks import run_checks

    return [dataclasses.asdict(outcome) for outcome in run_checks(plugins[name])]

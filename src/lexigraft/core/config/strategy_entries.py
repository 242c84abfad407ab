"""Strategies and chains as a recipe writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from lexigraft.core.config.base import Settings

Calibration = Literal["none", "anchors", "script"]


class StrategySettings(Settings):
    """A strategy or a chain of a comparison, with its fields and its label.

    `norm_calibration` replaces the recipe's `graft.norm_calibration` for this line.
    """

    label: str
    chain: list[tuple[str, dict[str, Any]]]
    norm_calibration: Calibration | None = None


def strategies_of(value: object) -> object:
    if not isinstance(value, list) or not value:
        raise ValueError("give a list of at least one strategy")
    return [_strategy(v) for v in value]


_LINE_KEYS = ("name", "label", "norm_calibration")


def _link(value: object) -> tuple[str, dict[str, Any]]:
    if isinstance(value, str):
        return value, {}
    if isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[1], dict):
        return str(value[0]), dict(value[1])
    if isinstance(value, Mapping) and "name" in value:
        return str(value["name"]), {str(k): v for k, v in value.items() if k not in _LINE_KEYS}
    raise ValueError(f"a strategy is a name, or a mapping with 'name' and its fields, not {repr(value)[:80]}")


def _strategy(value: object) -> object:
    if isinstance(value, StrategySettings):
        return value
    given = value if isinstance(value, Mapping) else {}
    calibration = given.get("norm_calibration")
    if "chain" in given:
        if not isinstance(given["chain"], list) or not given["chain"]:
            raise ValueError("chain must be a list of at least one strategy")
        links = [_link(v) for v in given["chain"]]
        default = "+".join(n for n, _ in links)
        if unknown := set(given) - {"chain", *_LINE_KEYS[1:]}:
            raise ValueError(f"unknown key '{unknown.pop()}' beside 'chain'; fields belong to the chain's members")
    else:
        links = [_link(value)]
        name, fields = links[0]
        shown = ",".join(f"{k}={v}" for k, v in fields.items())
        default = f"{name}[{shown}]" if shown else name
    if calibration is not None:
        default += f", norms by {calibration}"
    return {"label": given.get("label") or default, "chain": links, "norm_calibration": calibration}


StrategyEntry = Annotated[StrategySettings, BeforeValidator(_strategy)]
"""One strategy, or a chain, as a recipe writes it: a name, or a mapping with its fields."""

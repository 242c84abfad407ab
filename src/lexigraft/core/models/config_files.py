"""``config.json`` of a written model."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

CONFIG = "config.json"
_OWN = "transformers_version"


def keep_config(source: Path, out: Path) -> None:
    """Write a model's configuration as the source has it, with the values that differ.

    The source's own keys stay, also those that this release of transformers spells otherwise (``torch_dtype``,
    ``rope_theta``, ``rope_scaling``) or does not know: other programs read them.

    Args:
        source: The folder of the source model.
        out: The folder of the model that was made of it, with the ``config.json`` that transformers wrote.
    """
    from transformers import AutoConfig

    old, plain = json.loads(_read(source)), _read(out)
    before = json.loads(AutoConfig.from_pretrained(source).to_json_string())
    _write_equal(out, plain, _changed(old, before, json.loads(plain)))


def add_older_keys(out: Path) -> None:
    """Name rotary settings in the way of transformers 4 too, which otherwise takes its defaults without a word.

    Args:
        out: A folder with the ``config.json`` that transformers wrote.
    """
    plain = _read(out)
    _write_equal(out, plain, _with_older_keys(json.loads(plain)))


def _read(folder: Path) -> str:
    return (folder / CONFIG).read_text(encoding="utf-8")


def _write_equal(folder: Path, plain: str, content: dict[str, Any]) -> None:
    """Write a configuration in place of the plain one, if transformers reads the same from it."""
    from transformers import AutoConfig

    expected = AutoConfig.from_pretrained(folder).to_dict()
    (folder / CONFIG).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    try:
        same = _contains(AutoConfig.from_pretrained(folder).to_dict(), expected)
    except Exception:  # each class checks its values with errors of any kind; after each, the plain text stays
        same = False
    if not same:
        (folder / CONFIG).write_text(plain, encoding="utf-8")


def _contains(found: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Whether a dictionary has all values of another, apart from the version that wrote them."""
    return all(
        _contains(found[key], value)
        if isinstance(value, dict) and isinstance(found.get(key), dict)
        else found.get(key) == value
        for key, value in expected.items()
        if key != _OWN
    )


def _changed(old: dict[str, Any], before: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The old content with the values of which ``before`` and ``new``, both by transformers, differ."""
    made = copy.deepcopy(old)
    for key in before.keys() | new.keys():
        if before.get(key) == new.get(key) and (key in before) == (key in new):
            continue
        if key not in new:
            made.pop(key, None)
        elif all(isinstance(content.get(key), dict) for content in (old, before, new)):
            made[key] = _changed(old[key], before[key], new[key])
        else:
            made[key] = new[key]
    return made


def _with_older_keys(content: dict[str, Any]) -> dict[str, Any]:
    made = {key: _with_older_keys(value) if isinstance(value, dict) else value for key, value in content.items()}
    rotary = content.get("rope_parameters")
    if isinstance(rotary, dict) and "rope_theta" in rotary:
        for key in ("rope_theta", "partial_rotary_factor"):
            if key in rotary:
                made.setdefault(key, rotary[key])
        if rotary.get("rope_type", "default") != "default":
            made.setdefault("rope_scaling", {key: value for key, value in rotary.items() if key != "rope_theta"})
    return made

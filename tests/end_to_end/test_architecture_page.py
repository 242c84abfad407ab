"""The architecture page: the paths and names in it exist, and its picture is import-linter's."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ROOT / "src/lexigraft"
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:\w+/)*\w+\.(?:py|toml)|(?:\w+/)+)(?::([\w.]+))?`", PAGE)))


def defined_in(body: list[ast.stmt]) -> dict[str, list[ast.stmt]]:
    """The names that some statements define, each with the body of its definition."""
    found: dict[str, list[ast.stmt]] = {}
    for one in body:
        if isinstance(one, ast.FunctionDef | ast.ClassDef):
            found[one.name] = one.body
        elif isinstance(one, ast.Assign):
            found |= {target.id: [] for target in one.targets if isinstance(target, ast.Name)}
    return found


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda part: part or "-")
def test_what_the_page_names_exists(path: str, name: str) -> None:
    place = next((base / path for base in (CODE, ROOT) if (base / path).exists()), None)
    assert place is not None, f"no file or folder {path}"
    if name:
        body = ast.parse(place.read_text(encoding="utf-8")).body
        for part in name.split("."):
            known = defined_in(body)
            assert part in known, f"{path} defines no {name}"
            body = known[part]


def test_the_page_names_the_code() -> None:
    assert len(NAMED) > 60


def test_the_picture_shows_the_layers_of_import_linter() -> None:
    picture = re.findall(r"```text\n(.*?)```", PAGE, re.S)[0]
    shown = [re.split(r"\s{2,}", line)[0] for line in picture.splitlines() if line.strip() != "↓"]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    outer, inside = ([layer.replace("lexigraft.", "") for layer in one["layers"]] for one in contracts)
    assert outer[-1] == "core"
    assert shown == [*outer[:-1], *inside]


@pytest.mark.parametrize("parent", ["", "core"])
def test_every_package_has_its_line(parent: str) -> None:
    packages = {f"{path.parent.relative_to(CODE)}/" for path in (CODE / parent).glob("*/__init__.py")}
    listed = set(re.findall(r"^\| `((?:\w+/)+)` \|", PAGE, re.M))
    assert [p for p in sorted(packages) if not any(one.startswith(p) for one in listed)] == []

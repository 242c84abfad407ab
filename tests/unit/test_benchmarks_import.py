"""What benchmarks import is there: a renamed module, function or class fails here, not when somebody measures again.

Nothing of a benchmark is run. Packages of others are left aside: those of a peer are in its environment only.
"""

from __future__ import annotations

import ast
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = {str(path.relative_to(ROOT)): path for path in sorted((ROOT / "benchmarks").rglob("*.py"))}
OURS = {"lexigraft"} | {path.stem for folder in ("benchmarks", "tests") for path in (ROOT / folder).iterdir()}


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_imported_name_exists(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    tree = _tree(SCRIPTS[name])
    ours = [found for found in (*_imported(tree), *_mentioned(tree)) if found[1].split(".")[0] in OURS]
    assert [f"line {line}: {found}" for line, found in ours if not _exists(found)] == []


def test_every_named_script_exists() -> None:
    named = {
        f"{name} names {node.value}": (path.parent / node.value, ROOT / "tests" / "parity" / node.value)
        for name, path in SCRIPTS.items()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Constant) and re.fullmatch(r"[a-z_/]+\.py", str(node.value))
    }
    assert named
    assert [name for name, places in named.items() if not any(place.exists() for place in places)] == []


def test_scripts_put_what_they_import_on_their_path() -> None:
    elsewhere = OURS - {"lexigraft"}
    lost = [
        name
        for name, path in SCRIPTS.items()
        if elsewhere & {module.split(".")[0] for _, module in _imported(_tree(path))}
        and "sys.path.extend(" not in path.read_text(encoding="utf-8")
    ]
    assert lost == ["benchmarks/measure.py"]  # its function `asked` is called by scripts that have done it


def test_no_script_hides_what_its_neighbors_import() -> None:
    """The folder of a script comes first on its path: `surgery/surgery.py` would hide the folder `surgery`."""
    hidden = [
        f"{root} in {name}"
        for name, path in SCRIPTS.items()
        for root in {module.split(".")[0] for _, module in _imported(_tree(path))}
        if path.parent.name != "benchmarks" and path.with_name(f"{root}.py").exists()
    ]
    assert hidden == []


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Dotted names that are imported, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _mentioned(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Dotted names that are an attribute of an imported module, or a whole string, with their lines."""
    modules = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield node.lineno, f"{modules[node.value.id]}.{node.attr}"
        elif isinstance(node, ast.Constant) and re.fullmatch(r"lexigraft(\.\w+)+", str(node.value)):
            yield node.lineno, node.value


def _exists(name: str) -> bool:
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True

"""Plug-ins: found by file and folder, broken ones listed and harmless, mistyped names answered with the closest."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.registry import KINDS, PLUGIN_PATH, Record, discover, find, make

PLUGIN = '''"""Rows of ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lexigraft.strategies import InitContext, Mix, Plan, Strategy


@dataclass(frozen=True)
class {cls}(Strategy):
    """The first source row for everyone.

    Source: nobody.
    Needs: nothing.
    Relations: like `mean`,
    but simpler.
    """

    name: ClassVar[str] = "{name}"
    times: int = 1

    def plan(self, ctx: InitContext) -> Plan:
        """One row."""
        return Mix.mean_of([[0]] * len(ctx.target_ids))
'''


def write_plugin(plugin_folder: Path, name: str, text: str | None = None) -> Path:
    path = plugin_folder / f"{name}.py"
    path.write_text(text if text is not None else PLUGIN.format(cls=name.title().replace("_", ""), name=name))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_every_plugin_that_comes_along_is_whole_and_named_after_its_file(kind: str) -> None:
    found = discover(kind)
    assert list(found) == sorted(found)
    for name, plugin in found.items():
        assert plugin.broken is None
        assert plugin.cls is not None
        assert plugin.cls.name == name == Path(plugin.file).stem
        assert plugin.record.summary


@pytest.mark.parametrize("place", ["", "strategies"])
def test_a_file_in_a_folder_is_all_it_takes(plugin_folder: Path, place: str) -> None:
    (plugin_folder / "strategies").mkdir()
    path = write_plugin(plugin_folder / place, f"dropped_{place or 'top'}")
    plugin = discover("strategy")[path.stem]
    assert (plugin.file, plugin.origin) == (str(path.resolve()), "folder")
    assert plugin.record == Record(
        "The first source row for everyone.",
        {"Source": "nobody.", "Needs": "nothing.", "Relations": "like `mean`, but simpler."},
    )
    assert make("strategy", path.stem, {"times": "3"}).times == 3
    assert path.stem not in discover("objective")


def test_a_broken_file_is_listed_with_the_reason_and_breaks_nothing(plugin_folder: Path) -> None:
    write_plugin(plugin_folder, "cracked", "import not_a_module_at_all\n")
    write_plugin(plugin_folder, "hollow", '"""Nothing here."""\n')
    write_plugin(plugin_folder, "whole_one")
    found = discover("strategy")
    assert "not_a_module_at_all" in str(found["cracked"].broken)
    assert "must define one Strategy" in str(found["hollow"].broken)
    assert found["whole_one"].cls is not None
    assert found["mean"].cls is not None
    with pytest.raises(LexigraftError, match="cracked"):
        find("strategy", "cracked")


@pytest.mark.parametrize(
    "text",
    ["raise SystemExit(3)\n", "import sys\nsys.exit()\n", "raise KeyboardInterrupt\n", "raise BaseException('odd')\n"],
)
def test_a_file_that_exits_or_interrupts_is_listed_as_broken(plugin_folder: Path, text: str) -> None:
    write_plugin(plugin_folder, "leaves", text)
    found = discover("strategy")
    assert found["leaves"].broken
    assert found["mean"].cls is not None


def test_a_file_that_comes_later_or_is_mended_is_found_in_the_same_process(plugin_folder: Path) -> None:
    path = write_plugin(plugin_folder, "mended_later", "import not_a_module_at_all\n")
    before = discover("strategy")
    assert before["mended_later"].broken
    assert discover("strategy")["mean"] is before["mean"]
    write_plugin(plugin_folder, "comes_later")
    write_plugin(plugin_folder, "mended_later")
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))
    assert make("strategy", "comes_later").times == 1
    assert make("strategy", "mended_later").times == 1
    path.unlink()
    assert "mended_later" not in discover("strategy")


def test_a_dropped_strategy_is_the_same_class_in_another_process(plugin_folder: Path) -> None:
    write_plugin(plugin_folder, "pickled_one")
    ours = type(make("strategy", "pickled_one"))
    code = "from lexigraft.core.registry import make; print(type(make('strategy', 'pickled_one')).__module__)"
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        theirs = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
        )
        assert theirs.stdout.strip() == ours.__module__


def test_two_plugins_of_one_name_are_refused_naming_both_files(plugin_folder: Path) -> None:
    path = write_plugin(plugin_folder, "mean")
    with pytest.raises(LexigraftError) as caught:
        discover("strategy")
    assert str(path.resolve()) in str(caught.value)
    assert "plugins/strategies/mean.py" in str(caught.value)


def test_a_plugin_folder_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(PLUGIN_PATH, str(tmp_path / "nowhere"))
    with pytest.raises(LexigraftError, match="does not exist"):
        discover("strategy")


def test_names_fields_and_values_that_cannot_be_are_refused() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'focus'"):
        find("strategy", "fokus")
    with pytest.raises(UnknownName, match="Did you mean 'temperature'"):
        make("strategy", "focus", {"temprature": 1})
    with pytest.raises(LexigraftError, match="temperature"):
        make("strategy", "focus", {"temperature": "warm"})
    with pytest.raises(LexigraftError, match="k and neighbours"):
        make("strategy", "tema", {"k": 0})
    with pytest.raises(LexigraftError, match="projection"):
        make("strategy", "tema", {"projection": "sideways"})


def test_listing_imports_nothing_heavy() -> None:
    check = (
        "import sys; from lexigraft.core.registry import KINDS, discover; [discover(k) for k in KINDS];"
        "print({'torch', 'transformers', 'peft', 'mlflow', 'pandas', 'fasttext', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_what_authors_import_brings_nothing_heavy() -> None:
    kits = ("strategies", "objectives", "evaluators", "augmenters")
    check = (
        "import importlib, sys\n"
        "heavy = {'torch', 'transformers', 'peft', 'mlflow', 'pandas', 'fasttext', 'scipy'}\n"
        f"for kit in {kits}:\n"
        "    importlib.import_module(f'lexigraft.{kit}')\n"
        "    print(kit, heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{kit} set()" for kit in kits]


@pytest.mark.parametrize(("kit", "page"), [("strategies", "write-a-strategy"), ("evaluators", "write-an-evaluator")])
def test_the_helpers_that_authors_import_are_in_the_guide(kit: str, page: str) -> None:
    names = importlib.import_module(f"lexigraft.{kit}").__all__
    guide = (Path(__file__).parents[2] / f"docs/guides/{page}.md").read_text(encoding="utf-8")
    assert [name for name in names if name.islower() and f"| `{name}(" not in guide] == []

"""A strategy's file dropped into a folder is everywhere at once, with nothing else touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from generate import END, EVALUATORS, GENERATED, README, START, STRATEGIES, main, strategy_table

from lexigraft.api.compare.cell_keys import cells_of
from lexigraft.api.compare.inputs import Prepared, Texts
from lexigraft.api.compare.setup import check_recipe
from lexigraft.api.plugins.catalog import check_plugin, plugin_details
from lexigraft.api.plugins.scaffold import new_plugin
from lexigraft.api.plugins.strategies import StrategyRecord, list_strategies
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.registry import discover, make

NAME = "thrown_away"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plug-in folder with one new strategy."""
    new_plugin("strategy", NAME, tmp_path / "plugins")
    monkeypatch.setenv("LEXIGRAFT_PLUGINS", str(tmp_path / "plugins"))
    return tmp_path / "plugins"


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from lexigraft.cli.main import main; main()", *arguments]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(p for p in sys.path if p))
    return subprocess.run(program, capture_output=True, text=True, env=environment, check=False)


def test_it_is_listed_and_shown_by_the_command_line(folder: Path) -> None:
    listed = command("strategies", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    (found,) = [s for s in json.loads(listed.stdout) if s["name"] == NAME]
    assert found["file"] == str((folder / "strategies" / f"{NAME}.py").resolve())
    assert found["needs"] == []
    assert found["convex"] is True
    shown = command("strategies", "show", NAME, "--json")
    assert shown.returncode == 0, shown.stderr
    (field,) = json.loads(shown.stdout)["fields"]
    assert (field["name"], field["default"]) == ("power", 1.0)
    assert "power" in command("strategies", "show", NAME).stdout


def test_it_is_in_the_generated_documentation(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = [line for line in strategy_table().splitlines() if line.startswith(f"| `{NAME}` |")]
    under = strategy_table().split(row)[0].rsplit("**", 2)[1]
    assert under == "Needs nothing"
    monkeypatch.chdir(tmp_path)
    STRATEGIES.parent.mkdir(parents=True)
    for page in GENERATED:
        page.write_text(f"# Title\n\n{START}\nout of date\n{END}\nafter\n")
    assert main() == 0
    for page, part in ((README, row), (STRATEGIES, f"## {NAME}"), (EVALUATORS, "## bits_per_byte")):
        text = page.read_text()
        assert text.startswith("# Title\n\n")
        assert text.endswith(f"{END}\nafter\n")
        assert part in text
        assert "out of date" not in text
    assert "| `power` | `float` | `1.0` |" in STRATEGIES.read_text()
    assert main() == 0
    assert capsys.readouterr().out.count("is up to date") == len(GENERATED)
    README.write_text("no markers")
    assert main() == 2
    assert README.read_text() == "no markers"


def test_it_keeps_the_whole_contract(folder: Path) -> None:
    outcomes = check_plugin("strategy", NAME)
    assert [o for o in outcomes if o.outcome == "failed"] == []
    assert sum(o.outcome == "passed" for o in outcomes) > 200


def test_its_fields_are_mlflow_parameters_of_its_cells(folder: Path) -> None:
    recipe = CompareSettings.model_validate(
        {
            "source": "somewhere",
            "target_tokenizer": "elsewhere",
            "corpus": {"train": "text.txt"},
            "strategies": [{"name": NAME, "power": 0.5}, "random"],
            "seeds": [0, 1],
        }
    )
    texts = Texts(Corpus.of(["a line"]), Corpus.of(["another"]), {})
    cells = cells_of(recipe, Prepared("elsewhere", None, "hash"), texts, "hash", check_recipe(recipe))
    mine = [cell for cell in cells if cell.label.startswith(NAME)]
    assert [cell.parameters[f"fields.{NAME}.power"] for cell in mine] == [0.5, 0.5]
    assert {cell.parameters["strategy"] for cell in mine} == {NAME}
    assert len({cell.key for cell in cells}) == 4


def test_fields_are_read_from_text_and_mistakes_are_named(folder: Path) -> None:
    assert make("strategy", NAME, {"power": "2"}).power == 2.0
    with pytest.raises(UnknownName, match="power"):
        make("strategy", NAME, {"powr": 2})
    with pytest.raises(LexigraftError, match="power"):
        make("strategy", NAME, {"power": "much"})


def test_two_files_of_one_name_are_refused_with_both_named(folder: Path) -> None:
    other = folder / "mean.py"
    other.write_text((folder / "strategies" / f"{NAME}.py").read_text().replace(f'"{NAME}"', '"mean"'))
    with pytest.raises(LexigraftError, match="share a name") as caught:
        discover("strategy")
    assert str(other.resolve()) in caught.value.hint
    assert "plugins/strategies/mean.py" in caught.value.hint.replace(os.sep, "/")


def test_a_broken_file_is_listed_as_broken_and_breaks_nothing_else(folder: Path) -> None:
    (folder / "strategies" / "torn.py").write_text("def half(:\n")
    found = {s.name: s for s in list_strategies()}
    assert "SyntaxError" in str(found["torn"].broken)
    assert {NAME, "mean", "focus", "tema"} <= set(found)
    assert found[NAME].broken is None
    assert "torn" not in strategy_table()
    assert "SyntaxError" in plugin_details(StrategyRecord, "torn").documentation
    assert [o.outcome for o in check_plugin("strategy", "torn")] == ["failed"]
    with pytest.raises(LexigraftError, match="broken"):
        make("strategy", "torn")


@pytest.mark.parametrize("name", ["Mine", "my-method", "class", "2nd", "_hidden", "", "mean", NAME, "méthode"])
def test_names_that_cannot_be_are_refused_and_nothing_is_written(folder: Path, name: str) -> None:
    before = sorted(folder.rglob("*.py"))
    with pytest.raises(LexigraftError):
        new_plugin("strategy", name, folder)
    assert sorted(folder.rglob("*.py")) == before


def test_an_existing_file_is_not_replaced(tmp_path: Path) -> None:
    path = new_plugin("strategy", "fresh", tmp_path)
    path.write_text("mine")
    with pytest.raises(LexigraftError, match="file exists"):
        new_plugin("strategy", "fresh", tmp_path)
    assert path.read_text() == "mine"


def test_an_unknown_name_is_answered_with_the_closest() -> None:
    with pytest.raises(UnknownName, match="focus"):
        check_plugin("strategy", "focsu")
    with pytest.raises(UnknownName, match="focus"):
        plugin_details(StrategyRecord, "focsu")

"""Other names of a strategy: fields they stand for, collisions, and everywhere a name is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from lexigraft.api.plugins.catalog import plugin_details
from lexigraft.api.plugins.scaffold import new_plugin
from lexigraft.api.plugins.strategies import StrategyRecord, list_strategies
from lexigraft.core.config.base import validate
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.grafting.pipeline import make_chain
from lexigraft.core.grafting.strategy import Strategy
from lexigraft.core.registry import by_any_name, discover, find, make, resolve
from lexigraft.testing.contract import run_checks
from lexigraft.testing.laws.plugin_file import LAWS

PLUGIN = '''"""Rows under several names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lexigraft.strategies import InitContext, Mix, Plan, Strategy


@dataclass(frozen=True)
class Method(Strategy):
    """The first source row for everyone.

    Source: nobody.
    Needs: nothing.
    Relations: none.
    """

    name: ClassVar[str] = "{name}"
    aliases = {aliases}
    times: int = 1
    way: str = "up"

    def plan(self, ctx: InitContext) -> Plan:
        """One row."""
        return Mix.mean_of([[0]] * len(ctx.target_ids))
'''


def write_plugin(plugin_folder: Path, name: str, aliases: object) -> Path:
    path = plugin_folder / f"{name}.py"
    path.write_text(PLUGIN.format(name=name, aliases=repr(aliases)))
    return path.resolve()


def test_an_alias_is_the_strategy_with_its_fields_and_given_fields_win(plugin_folder: Path) -> None:
    write_plugin(plugin_folder, "steps", {"twice": {"times": 2, "way": "down"}})
    assert find("strategy", "twice") is find("strategy", "steps")
    plain, twice = make("strategy", "steps"), make("strategy", "twice")
    assert (plain.times, twice.times, twice.way) == (1, 2, "down")
    assert twice == make("strategy", "steps", {"times": 2, "way": "down"})
    other = make("strategy", "twice", {"times": "5"})
    assert (other.times, other.way) == (5, "down")
    assert resolve("strategy", "twice")[1] == {"times": 2, "way": "down"}
    assert resolve("strategy", "steps")[1] == {}
    assert "twice" not in discover("strategy")
    assert by_any_name("strategy")["twice"].name == "steps"


def test_subword_mean_is_also_fvt_and_by_bytes_zip_tie() -> None:
    assert make("strategy", "fvt") == make("strategy", "subword_mean")
    assert make("strategy", "zip_tie") == make("strategy", "subword_mean", {"pieces": "bytes"})


def test_a_mistyped_alias_is_answered_with_the_alias() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'zip_tie'"):
        find("strategy", "ziptie")
    with pytest.raises(UnknownName, match="field of strategy 'zip_tie'"):
        make("strategy", "zip_tie", {"peices": "bytes"})


@pytest.mark.parametrize("taken", ["mean", "zip_tie"])
def test_an_alias_that_is_a_name_or_another_alias_is_refused_naming_both_files(plugin_folder: Path, taken: str) -> None:
    path = write_plugin(plugin_folder, "steps", {taken: {}})
    with pytest.raises(LexigraftError, match=f"share a name: {taken}") as caught:
        discover("strategy")
    assert str(path) in str(caught.value)
    assert f"strategies/{'mean' if taken == 'mean' else 'subword_mean'}.py" in str(caught.value)


def test_a_file_may_not_take_an_alias_for_its_name(plugin_folder: Path) -> None:
    path = write_plugin(plugin_folder, "fvt", {})
    with pytest.raises(LexigraftError, match="share a name: fvt") as caught:
        discover("strategy")
    assert str(path) in str(caught.value)


def test_aliases_that_are_no_mapping_break_their_file_alone(plugin_folder: Path) -> None:
    write_plugin(plugin_folder, "steps", ["twice"])
    found = discover("strategy")
    assert "aliases must map" in str(found["steps"].broken)
    assert found["mean"].cls is not None


@pytest.mark.parametrize(
    "aliases", [{"steps": {}}, {"Twice": {}}, {"twice": {"tmies": 2}}, {"twice": {"times": "two"}}]
)
def test_the_laws_look_at_aliases(plugin_folder: Path, aliases: dict[str, object]) -> None:
    write_plugin(plugin_folder, "steps", aliases)
    failed = [o.law for o in run_checks(discover("strategy")["steps"], (), LAWS) if o.outcome == "failed"]
    assert failed == ["default construction works"]


def test_chains_and_recipes_take_aliases() -> None:
    [one, two] = make_chain([("fvt", {}), ("zip_tie", {})])
    assert isinstance(one, Strategy)
    assert (one.name, two.parameters()) == ("subword_mean", {"pieces": "bytes"})
    values = {
        "source": "m", "target_tokenizer": "t", "corpus": {"train": "c"}, "strategies": ["fvt", {"name": "zip_tie"}],
    }  # fmt: skip
    recipe = validate(CompareSettings, values, "recipe")
    assert [s.label for s in recipe.strategies] == ["fvt", "zip_tie"]
    assert make_chain(recipe.strategies[1].chain)[0].parameters() == {"pieces": "bytes"}


def test_listing_shows_aliases_and_show_answers_to_them(plugin_folder: Path) -> None:
    [one] = [s for s in list_strategies() if s.name == "subword_mean"]
    assert one.aliases == {"fvt": {}, "zip_tie": {"pieces": "bytes"}}
    shown = plugin_details(StrategyRecord, "zip_tie")
    assert (shown.summary.name, shown.preset) == ("subword_mean", {"pieces": "bytes"})
    assert plugin_details(StrategyRecord, "subword_mean").preset == {}
    with pytest.raises(LexigraftError, match="has this name already"):
        new_plugin("strategy", "zip_tie", plugin_folder)

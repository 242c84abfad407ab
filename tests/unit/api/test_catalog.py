"""`strategies list`: what each method needs in plain words, and what one can run with what one has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixtures.commands import lexigraft
from lexigraft.api.plugins.strategies import by_needs, in_words, input_words, inputs_for, list_strategies, missing
from lexigraft.core.errors import UnknownName
from lexigraft.core.grafting.needs import Need, need_specs
from lexigraft.core.grafting.strategy import Strategy
from lexigraft.core.registry import PLUGIN_PATH, discover


def usable(*have: str) -> set[str]:
    return {one.name for one in list_strategies(have) if one.usable}


def test_every_need_is_met_by_something_one_can_have() -> None:
    built_in = {value for value in vars(Need).values() if isinstance(value, Need)}
    assert set(need_specs()) == built_in
    assert {word for spec in need_specs().values() for way in spec.supplied_by for word in way} == set(input_words())


def test_what_one_has_decides_what_one_can_run() -> None:
    nothing = usable()
    assert {"mean", "subword_mean", "vipi", "keep"} <= nothing
    assert not {"focus", "tema", "poor", "oracle"} & nothing
    assert {"focus"} <= usable("corpus") - nothing
    assert usable("vectors") >= nothing | {"focus"}
    assert not {"poor", "tema"} & usable("poor_model", "dictionary")
    assert {"poor", "tema"} <= usable("poor_model", "dictionary", "corpus")
    assert usable(*input_words()) == {name for name, plugin in discover("strategy").items() if plugin.broken is None}
    assert all(one.usable is None for one in list_strategies())


def needing(*needs: Need, defaults: frozenset[Need] | None = None) -> list[list[str]]:
    class Made(Strategy):
        def required_needs(self) -> frozenset[Need]:
            return frozenset(needs) if defaults is None else defaults

    Made.needs = frozenset(needs)
    return inputs_for(Made)


def test_needs_together_are_met_by_the_smallest_sets() -> None:
    assert needing() == [[]]
    assert needing(Need.TARGET_VECTORS) == [["corpus"], ["vectors"]]
    assert needing(Need.MODEL, Need.TRAINING) == [["corpus"]]
    assert needing(Need.TARGET_VECTORS, Need.TRAINING) == [["corpus"]]
    assert needing(Need.POOR_MODEL, Need.DICTIONARY) == [["corpus", "dictionary", "poor_model"]]
    assert needing(Need.DONOR, defaults=frozenset()) == [[]]
    assert in_words([["corpus"], ["vectors", "dictionary", "donor"]]) == (
        "target text (corpus), or vectors of the target tokens (vectors), a dictionary (dictionary) and a donor model "
        "(donor)"
    )
    assert in_words([]) == "nothing"


def test_headings_go_from_nothing_to_more() -> None:
    groups = by_needs(list_strategies())
    headings = list(groups)
    assert headings[0] == "needs nothing"
    assert headings.index("needs target text (corpus), or vectors of the target tokens (vectors)") == 1
    assert sum(map(len, groups.values())) == len(list_strategies())
    [tema] = [one for one in list_strategies(["dictionary"]) if one.name == "tema"]
    assert missing(tema, ["dictionary"]) == "target text (corpus) and a poor model (poor_model)"


def test_the_command_lists_groups_and_what_would_need_more() -> None:
    plain = lexigraft("strategies", "list")
    assert plain.out.startswith("needs nothing\n")
    assert "  subword_mean (fvt, zip_tie)  Each new row" in plain.out
    assert "would need more" not in plain.out
    some = lexigraft("strategies", "list", "--have", "dictionary, poor_model")
    assert some.code == 0
    can, more = some.out.split("would need more")
    assert "  mean " in can
    assert "  tema  " not in can
    assert any(line.split() == ["tema", "target", "text", "(corpus)"] for line in more.splitlines())


def test_as_json_every_strategy_says_whether_it_is_usable() -> None:
    found = lexigraft("strategies", "list", "--have", "corpus", "--json").json
    by_name = {one["name"]: one["usable"] for one in found}
    assert (by_name["mean"], by_name["focus"], by_name["tema"]) == (True, True, False)
    assert json.loads(json.dumps(found)) == [one.as_json() for one in list_strategies(["corpus"])]


def test_a_word_that_nobody_knows_is_answered_with_the_closest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'dictionary'"):
        list_strategies(["dictionery"])
    done = lexigraft("strategies", "list", "--have", "corpus,dictionery")
    assert done.code == 2
    assert "Did you mean 'dictionary'" in done.err


def test_a_broken_file_is_listed_and_never_usable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cracked.py").write_text("import not_there_at_all\n")
    monkeypatch.setenv(PLUGIN_PATH, str(tmp_path))
    [one] = [s for s in list_strategies(["corpus"]) if s.name == "cracked"]
    assert one.usable is False
    assert list(by_needs(list_strategies()))[-1] == "broken"
    assert "BROKEN: ModuleNotFoundError" in lexigraft("strategies", "list", "--have", "corpus").out

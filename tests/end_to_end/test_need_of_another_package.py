"""The guide's package with a need and a strategy: the command line, a recipe, the list and the contract take them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.commands import Files, lexigraft, write_files
from fixtures.packages import NEED, write_distribution
from fixtures.recipes import tiny_recipe
from lexigraft.api.plugins.catalog import check_plugin
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.needs import Need, need_specs, refuse_missing
from lexigraft.core.registry import discover
from lexigraft.testing.contract import cached_fixture


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, need: str = NEED) -> None:
    monkeypatch.syspath_prepend(str(write_distribution(folder / "site-packages", need)))


@pytest.fixture(autouse=True)
def modules_of_its_own() -> Iterator[None]:
    """Each test imports the package that it wrote."""
    yield
    for name in [name for name in sys.modules if name.startswith("glossary_pack")]:
        del sys.modules[name]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, monkeypatch)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "glossary.tsv").write_text("water\tyaku\nhouse\twasi\nriver\tmayu\n", encoding="utf-8")
    return write_files(tmp_path)


@pytest.mark.usefixtures("package")
class TestInstalled:
    def test_the_command_line_hands_its_input_to_the_strategy(self, files: Files, tmp_path: Path) -> None:
        given = f"glossary.path={tmp_path / 'glossary.tsv'}"
        done = lexigraft(*files.graft(tmp_path / "out", strategy="glossary_mean", input=given), "--json")
        assert done.code == 0, done.err
        assert 0 < done.json["covered"] < done.json["new"]

    def test_without_it_the_graft_is_refused_with_the_needs_own_sentence(self, files: Files, tmp_path: Path) -> None:
        done = lexigraft(*files.graft(tmp_path / "out", strategy="glossary_mean"))
        assert done.code == 2
        assert "glossary_mean needs glossary" in done.err
        assert "a glossary, one source TAB target pair a line (--input glossary.path=TSV" in done.err
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ("glossary.pth=a.tsv", "inputs.glossary is not valid: path: Field required; unknown key 'pth'."),
            ("glossary.path=nowhere.tsv", "inputs.glossary is not valid: path: Path does not point to a file"),
            ("glosary.path=a.tsv", "unknown need with a section of its own: glosary. Did you mean 'glossary'?"),
            ("glossary=a.tsv", "--input needs need.key=value"),
        ],
    )
    def test_a_wrong_input_is_one_clear_error(self, given: str, message: str, files: Files, tmp_path: Path) -> None:
        done = lexigraft(*files.graft(tmp_path / "out", strategy="glossary_mean", input=given))
        assert done.code == 2
        assert message in done.err
        assert done.err.count("error:") == 1
        assert "Traceback" not in done.err

    def test_the_list_knows_what_it_is_called(self) -> None:
        with_it, without = lexigraft("strategies", "list", "--have", "glossary"), lexigraft("strategies", "list")
        assert "needs a glossary (glossary)\n  glossary_mean" in with_it.out
        assert "needs a glossary (glossary)" in without.out
        wanted = lexigraft("strategies", "list", "--have", "corpus").out.partition("would need more")[2]
        assert [line.split(maxsplit=1)[1] for line in wanted.splitlines() if "glossary_mean" in line] == [
            "a glossary (glossary)"
        ]

    def test_the_contract_runs_with_the_needs_own_sample(self, one_thread: None) -> None:
        cached_fixture.cache_clear()
        done = lexigraft("strategies", "check", "glossary_mean", "--json")
        assert done.code == 0, done.out
        assert done.json["failed"] == []
        assert done.json["passed"] > 200

    @pytest.mark.slow
    def test_a_recipe_hands_it_over_and_other_content_is_another_cell(self, tmp_path: Path) -> None:
        recipe = tiny_recipe(
            tmp_path,
            strategies=["glossary_mean", "mean"],
            reference="mean",
            seeds=[0],
            inputs={"glossary": {"path": "./words.tsv"}},
            poor_model=None,
            tracking={"enabled": False},
        )
        glossary, out = tmp_path / "words.tsv", tmp_path / "out"
        assert "Path does not point to a file" in lexigraft("compare", recipe, "--out", out).err
        cells = []
        for text in ("water\tyaku\n", "water\tyaku\n", "river\tyaku\n"):
            glossary.write_text(text, encoding="utf-8")
            done = lexigraft("compare", recipe, "--out", out)
            assert done.code == 0, done.err
            cells.append({path.name for path in (out / "cells").glob("glossary_mean-s0-*")})
        assert [len(found) for found in cells] == [1, 1, 2]
        assert len(list((out / "cells").glob("mean-s0-*"))) == 1

    @pytest.mark.slow
    def test_a_recipe_with_a_wrong_section_is_one_clear_error(self, tmp_path: Path) -> None:
        recipe = tiny_recipe(tmp_path, strategies=["glossary_mean"], reference=None, inputs={"glossary": {"pth": "x"}})
        done = lexigraft("compare", recipe, "--out", tmp_path / "out")
        assert done.code == 2
        assert "unknown key 'pth'" in done.err
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("need", "reason"),
    [
        (NEED.replace("    option:", "    # option:"), "the NeedSpec lacks: option"),
        (
            NEED.replace('name: ClassVar[str] = "glossary"', 'name: ClassVar[str] = "wordlist"'),
            "'glossary' and 'wordlist'",
        ),
        ("import not_a_module_at_all\n", "not_a_module_at_all"),
        (f"{NEED}\nGlossary = 3\n", "the entry point must name a NeedSpec: 3"),
    ],
)
def test_a_broken_need_says_why_and_takes_no_other_along(
    need: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, monkeypatch, need)
    assert reason in str(discover("need")["glossary"].broken)
    assert Need.DICTIONARY in need_specs()
    done = lexigraft("strategies", "list")
    assert done.code == 0
    with pytest.raises(LexigraftError, match="glossary: the need is broken") as caught:
        refuse_missing({"glossary_mean": {Need("glossary")}}, ())
    assert reason in str(caught.value)


def test_a_need_without_a_sample_leaves_the_laws_on_fixtures_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, monkeypatch, NEED.partition("    def sample")[0])
    cached_fixture.cache_clear()
    outcomes = check_plugin("strategy", "glossary_mean")
    cached_fixture.cache_clear()
    assert {o.outcome for o in outcomes if o.fixture != "-"} == {"not applicable"}
    assert {o.reason for o in outcomes if o.fixture != "-"} == {"there is no made input for glossary"}

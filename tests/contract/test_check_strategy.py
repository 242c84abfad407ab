"""`check_strategy` as an author's test calls it: on a good class, a broken one, and one without a file of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch

from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.registry import make
from lexigraft.strategies import Dense, InitContext, Mix, Need, Plan, Strategy, pieces_of
from lexigraft.testing import FIXTURE_NAMES, check_strategy, fixture, tiny_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")
FIXTURES = ("roberta-tied-bias", "llama-untied")


@dataclass(frozen=True)
class FirstPiece(Strategy):
    """Each new row is the row of the token's first piece.

    Source: the tests.
    Needs: nothing.
    Relations: none.
    """

    name: ClassVar[str] = "first_piece"
    convex: ClassVar[bool] = True
    place: int = 0

    def plan(self, ctx: InitContext) -> Plan:
        """One piece, or none where nothing spells the token."""
        return Mix.mean_of(pieces[self.place : self.place + 1] for pieces in pieces_of(ctx))


@dataclass(frozen=True)
class Noise(Strategy):
    """Each new row is noise that no seed decides.

    Source: the tests.
    Relations: none.
    """

    name: ClassVar[str] = "noise"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.DICTIONARY})

    def plan(self, ctx: InitContext) -> Plan:
        """Other rows each time."""
        ids = len(ctx.target_ids)
        return {role: Dense(torch.randn(ids, *ctx.table(role).shape[1:])) for role in ctx.roles}


def test_a_good_class_keeps_every_law_on_every_fixture() -> None:
    outcomes = check_strategy(FirstPiece)
    assert {o.fixture for o in outcomes} == {"-", *FIXTURE_NAMES}
    assert {o.outcome for o in outcomes} == {"passed", "not applicable"}


def test_a_broken_class_is_told_every_broken_law_with_fixture_and_reason() -> None:
    with pytest.raises(AssertionError) as caught:
        check_strategy(Noise, FIXTURES)
    text = str(caught.value)
    assert text.startswith("strategy 'noise' breaks ")
    assert "  docstring record is complete: the docstring lacks Needs" in text
    for name in FIXTURES:
        assert f"  every declared need is used (on {name}): declared and never asked for: dictionary" in text
        assert f"  same seed, same plan (on {name}): " in text


def test_a_class_of_a_notebook_leaves_out_the_laws_about_its_file() -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    code = """
from dataclasses import dataclass
from typing import ClassVar
from lexigraft.strategies import Mix, Strategy

@dataclass(frozen=True)
class Cell(Strategy):
    '''Each new row is the first source row.

    Source: the tests.
    Needs: nothing.
    Relations: none.
    '''

    name: ClassVar[str] = "cell"

    def plan(self, ctx):
        return Mix.mean_of([[0]] * len(ctx.target_ids))
"""
    exec(compile(code, "<cell 1>", "exec", dont_inherit=True), space)
    for made in (space["Cell"], FirstPiece):
        outcomes = check_strategy(made, "llama-tied")
        left_out = {o.law: o.reason for o in outcomes if o.fixture == "-" and o.outcome == "not applicable"}
        assert set(left_out) == {"name is the file's stem", "import is light"}
        assert set(left_out.values()) == {"the class has no file of its own, named after the strategy"}


def test_a_class_that_the_registry_knows_is_checked_with_its_file() -> None:
    outcomes = check_strategy(type(make("strategy", "mean")), ["llama-tied"])
    assert {o.outcome for o in outcomes if o.fixture == "-"} == {"passed"}


def test_an_instance_is_checked_with_its_fields() -> None:
    with pytest.raises(AssertionError, match="cannot be built"):
        check_strategy(FirstPiece(), ["llama-tied"], fields={"place": "far"})
    late = check_strategy(FirstPiece(place=7), ["llama-tied"])
    assert all(o.outcome != "failed" for o in late)


def test_what_cannot_be_checked_is_said() -> None:
    with pytest.raises(LexigraftError, match="not a strategy"):
        check_strategy("mean")  # type: ignore[arg-type]
    with pytest.raises(LexigraftError, match="has no name"):
        check_strategy(Strategy)
    with pytest.raises(UnknownName, match="llama-tied"):
        check_strategy(FirstPiece, ["llama-tide"])


def test_the_fixtures_are_built_by_name() -> None:
    model, source, target = fixture("llama-tied")
    assert model.get_input_embeddings().num_embeddings == len(source)
    assert target.get_vocab() == tiny_tokenizer("byte_bpe", "target").get_vocab()

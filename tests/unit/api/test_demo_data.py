"""The demo's data: the made language's text lies beside its originals, and nothing held out is among it."""

from __future__ import annotations

import re
from pathlib import Path

from lexigraft.api.compare.demo import EVERY, QUICK, STRATEGIES, write_texts
from lexigraft.core.config.base import validate
from lexigraft.core.config.recipe import CompareSettings
from lexigraft.core.registry import discover

NOT_IN_EVERY = {"auto", "first_last", "hf_mean_resizing"}
"""auto would run the others once more; on the demo's tied tables first_last is subword_mean; transformers' is mean."""


def test_the_made_text_lies_beside_its_originals(tmp_path: Path) -> None:
    write_texts(tmp_path, QUICK)
    text = {name: (tmp_path / f"{name}.txt").read_text().splitlines() for name in ("clone", "clone.originals")}
    held = set((tmp_path / "clone.heldout.txt").read_text().splitlines())
    assert len(text["clone"]) == len(text["clone.originals"]) > 100
    assert held.isdisjoint(text["clone"])
    digits = [[re.sub(r"\D", "", line) for line in lines] for lines in text.values()]
    assert digits[0] == digits[1], "digits stay, so line n of one side is line n of the other"
    assert sum(map(bool, digits[0])) > 10


def test_every_strategy_is_in_the_long_demo() -> None:
    values = {"source": "x", "target_tokenizer": "y", "corpus": {"train": "z"}, "strategies": list(EVERY)}
    named = {name for line in validate(CompareSettings, values, "demo").strategies for name, _ in line.chain}
    assert named | NOT_IN_EVERY == {n for n, p in discover("strategy").items() if p.origin == "package"}
    assert set(STRATEGIES) <= named

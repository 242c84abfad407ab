"""Every law on every augmenter, with each of its modes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lexigraft.api.plugins.catalog import check_plugin
from lexigraft.api.plugins.scaffold import new_plugin
from lexigraft.core.data.augmenter import Augmenter
from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import discover
from lexigraft.plugins.augmenters.code_switch import CodeSwitch
from lexigraft.plugins.augmenters.entity_switch import EntitySwitch
from lexigraft.plugins.augmenters.leia import Leia
from lexigraft.plugins.augmenters.noise import Noise
from lexigraft.testing import check_augmenter
from lexigraft.testing.augmenter_contract import run_augmenter_checks

MODES: dict[str, dict[str, Any]] = {
    "left": {"side": "left"},
    "in its place": {"side": "replace"},
    "nowhere": {"side": "none"},
    "bare": {"tags": False},
    "bare on the left": {"tags": False, "side": "left"},
    "another language": {"language": "de", "p": 0.3},
}
OTHERS: dict[str, Augmenter] = {
    "code-switching by sentences": CodeSwitch(per="sentence", loss_on_translations=False),
    "entities by documents": EntitySwitch(per="document", languages=("de",), tags=True),
    "words left out": Noise(p=0.5, drop_share=1.0, swap_share=0.0),
    "words in another order": Noise(p=0.5, drop_share=0.0, swap_share=1.0),
}


@pytest.mark.parametrize("name", discover("augmenter"))
def test_every_augmenter_keeps_every_law(name: str) -> None:
    if name == "transliterate":
        pytest.importorskip("uroman")
    outcomes = run_augmenter_checks(discover("augmenter")[name])
    assert [one for one in outcomes if one.outcome != "passed"] == []


@pytest.mark.parametrize("mode", MODES)
def test_leia_keeps_every_law_in_every_mode(mode: str) -> None:
    outcomes = check_augmenter(Leia(**MODES[mode]))
    assert {one.outcome for one in outcomes} <= {"passed", "not applicable"}


@pytest.mark.parametrize("mode", OTHERS)
def test_the_others_keep_every_law_in_their_modes(mode: str) -> None:
    assert {one.outcome for one in check_augmenter(OTHERS[mode])} <= {"passed", "not applicable"}


def test_what_is_no_augmenter_is_refused() -> None:
    with pytest.raises(LexigraftError, match="this is not an augmenter"):
        check_augmenter(int)  # type: ignore[arg-type]


def test_a_new_augmenter_keeps_every_law(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = new_plugin("augmenter", "my_change", tmp_path)
    assert path == tmp_path / "augmenters" / "my_change.py"
    monkeypatch.setenv("LEXIGRAFT_PLUGINS", str(tmp_path))
    outcomes = check_plugin("augmenter", "my_change")
    assert [one for one in outcomes if one.outcome != "passed"] == []

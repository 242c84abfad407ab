"""Translations inside definition texts as dictionaries write them."""

from __future__ import annotations

import pytest

from lexigraft.core.data.dictionary_formats.definitions import translations_in, without_markup


@pytest.mark.parametrize(
    ("headword", "definition", "wanted"),
    [
        ("abudu", "abudu /abˈudu/ <v>\n\nworship, revere, adore\n", ["worship", "revere", "adore"]),
        ("acha", "acha /ˈatʃa/ <v>\n1.\nleave\n2.\nquit, stop doing sth\n", ["leave", "quit", "stop doing sth"]),
        ("agiza", "agiza <v>\n1.\norder, command\n; direct\n2.\norder\n", ["order", "command", "direct"]),
        ("agree", "agree /əɡɹˈiː/ <v>\n\n patana\n", ["patana"]),
        ("adhuhuri", "adhuhuri <n>\n\nmidday\n period between noon and 2 p.m.\n\n", ["midday"]),
        ("adui", "adui <n> (pl: {maadui})\n1.\nenemy\n2.\nopponent (in games or sports)\n", ["enemy", "opponent"]),
        ("agano", "agano\n\npromise\n   See also: {ahadi}\n", ["promise"]),
        ("magari", "magari /maɡˈari/ <n>\n\n Plural of {gari}: wheeled vehicle\n", []),
        ("house", "house\n  1. casa; hogar\n  2) cámara [política]", ["casa", "hogar", "cámara"]),
        ("radio", "radio", ["radio"]),
        ("and/or", "and/or\ny/o", ["y/o"]),
        ("x", "", []),
    ],
)
def test_the_first_line_of_each_sense_is_its_translations(headword: str, definition: str, wanted: list[str]) -> None:
    assert translations_in(definition, headword) == wanted


def test_markup_is_left_out_and_blocks_become_lines() -> None:
    marked = "<k>wasi</k>house &amp; home<div>see<br/>also <b>ayllu</b></div>"
    assert without_markup(marked) == "wasi\nhouse & home\nsee\nalso ayllu\n"

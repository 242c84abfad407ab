"""Word aligners by name."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.resources import Aligner, Words
from lexigraft.core.methods.word_alignment.fast_align import LONGEST, align_words
from lexigraft.core.methods.word_alignment.symmetrization import symmetrized

UnitLinks = list[list[tuple[int, int]]]


def align_with_eflomal(source: Words, target: Words) -> UnitLinks:
    """Link words with eflomal (Östling & Tiedemann 2016): a sampled HMM with fertilities, symmetrized like ours.

    eflomal seeds itself from the system, so two runs differ in some links. It runs its own program (GPL 3).

    Args:
        source: The words of each sentence.
        target: The words of each translation.

    Returns:
        For each pair the linked positions ``(source, target)``, ascending; none for a sentence that is empty or longer
        than 300 words.

    Raises:
        LexigraftError: eflomal is not installed.
    """
    try:
        eflomal: Any = importlib.import_module("eflomal")
    except ImportError:
        raise LexigraftError(
            "the aligner eflomal is not installed", "eflomal", "pip install eflomal (GPL), or use aligner: builtin"
        ) from None
    links: UnitLinks = [[] for _ in source]
    lengths = [(len(s), len(t)) for s, t in zip(source, target, strict=True)]
    usable = [n for n, sides in enumerate(lengths) if min(sides) > 0 and max(sides) <= LONGEST]
    if not usable:
        return links
    with tempfile.TemporaryDirectory(prefix="lexigraft-") as folder:
        files = [str(Path(folder) / name) for name in ("forward", "backward")]
        eflomal.Aligner().align(
            _numbered(source, usable),
            _numbered(target, usable),
            links_filename_fwd=files[0],
            links_filename_rev=files[1],
        )
        sides = [Path(file).read_text(encoding="ascii").splitlines() for file in files]
    for n, forward, backward in zip(usable, *sides, strict=True):
        links[n] = symmetrized(_read(forward), _read(backward))
    return links


ALIGNERS: Mapping[str, Aligner] = {"builtin": align_words, "eflomal": align_with_eflomal}


def _numbered(side: Words, usable: list[int]) -> list[str]:
    """Sentences as lines of word numbers, so that no word is split or read as a mark of eflomal's own."""
    known: dict[str, int] = {}
    return [" ".join(str(known.setdefault(w.casefold(), len(known))) for w in side[n]) for n in usable]


def _read(line: str) -> set[tuple[int, int]]:
    pairs = (link.split("-") for link in line.split())
    return {(int(i), int(j)) for i, j in pairs}

"""Transliterators, the cache of their lines, and the augmenter."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lexigraft.core.data.annotated_text import AnnotatedText
from lexigraft.core.data.augmentation import augment
from lexigraft.core.data.transliteration import transliterators
from lexigraft.core.data.transliteration.cached_lines import transliterated
from lexigraft.core.data.transliteration.transliterators import transliterator
from lexigraft.core.errors import LexigraftError
from lexigraft.plugins.augmenters.transliterate import Transliterate
from lexigraft.plugins.objectives.translico import Translico

GREEK = ["το νερό", "η θάλασσα", "το σπίτι, και πάλι"]
PLAIN = ["the water", "the sea"]


def test_each_transliterator_writes_latin_letters() -> None:
    for name, package in (("icu", "icu"), ("uroman", "uroman")):
        pytest.importorskip(package)
        assert transliterator(name)("Привет, мир") == "Privet, mir"  # type: ignore[arg-type]


def test_icu_by_transforms() -> None:
    pytest.importorskip("icu")
    assert transliterator("icu", "Greek-Latin; Latin-ASCII")("θάλασσα") == "thalassa"
    with pytest.raises(LexigraftError, match="ICU knows no such transliteration: Klingon-Latin"):
        transliterator("icu", "Klingon-Latin")


def test_lines_are_cached_and_a_longer_text_finds_its_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def shout(line: str) -> str:
        seen.append(line)
        return f" {line.upper()}\n "

    module = "lexigraft.core.data.transliteration.cached_lines"
    monkeypatch.setattr(f"{module}.transliterator", lambda name, language: shout)
    monkeypatch.setattr(f"{module}.transliterator_version", lambda name: "shout 1")
    monkeypatch.setattr(f"{module}._BLOCK", 2)
    assert transliterated(GREEK[:2], "icu", None, tmp_path) == ["ΤΟ ΝΕΡΌ", "Η ΘΆΛΑΣΣΑ"]
    assert transliterated(GREEK, "icu", None, tmp_path) == ["ΤΟ ΝΕΡΌ", "Η ΘΆΛΑΣΣΑ", "ΤΟ ΣΠΊΤΙ, ΚΑΙ ΠΆΛΙ"]
    assert seen == GREEK
    transliterated(GREEK, "icu", "el", tmp_path)
    assert len(seen) == 2 * len(GREEK)
    monkeypatch.setattr(f"{module}.transliterator", lambda name, language: str)
    with pytest.raises(LexigraftError, match="transliteration leaves the text as it is: icu, xx"):
        transliterated(PLAIN, "icu", "xx", tmp_path)


def test_a_missing_package_and_a_wrong_language_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LexigraftError, match=r"ISO 639-3 codes: Hindi\. Three letters"):
        transliterator("uroman", "Hindi")
    real = builtins.__import__

    def without(name: str, *others: Any) -> Any:
        if name in ("uroman", "icu"):
            raise ModuleNotFoundError(name)
        return real(name, *others)

    monkeypatch.setattr(builtins, "__import__", without)
    transliterators.transliterator.cache_clear()
    transliterators._romanizer.cache_clear()
    with pytest.raises(LexigraftError, match=r"needs the package uroman\. pip install 'lexigraft\[uroman\]'"):
        Translico().read({})
    with pytest.raises(LexigraftError, match=r"needs the package PyICU\. pip install 'lexigraft\[icu\]'"):
        Transliterate(transliterator="icu").check()


def test_words_are_written_in_latin_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Greek words change; `water` is no opportunity, and what an earlier augmenter put there stays."""
    module = "lexigraft.plugins.augmenters.transliterate"
    latin = {"το": "to", "νερό": "nero", "το water νερό": "to water nero"}
    monkeypatch.setattr(f"{module}.transliterator", lambda name, language: lambda text: latin.get(text, text))
    document = AnnotatedText("το water νερό")
    words = Transliterate(p=1.0)
    assert words.opportunities(document) == 2
    done = augment(document, [words], seed=0, epoch=0)
    assert done.document.text == "to water nero"
    assert [(span.start, span.end) for span in done.added] == [(0, 2), (9, 13)]
    whole = Transliterate(p=1.0, unit="document", loss_on_transliterations=False)
    done = augment(document, [whole], seed=0, epoch=0)
    assert (done.document.text, done.without_loss()) == ("to water nero", [(0, 13)])
    generator = np.random.default_rng(0)
    drawn = [len(Transliterate(p=0.5).edits(document, generator)) for _ in range(400)]
    # Two words at a half each: 1 a document, and of 400 documents a standard error of sqrt(2 / 4 / 400) = 0.035.
    assert np.mean(drawn) == pytest.approx(1.0, abs=0.12)

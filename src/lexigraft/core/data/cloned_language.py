"""Synthetic target language, made of real text by replacing every word."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lexigraft.core.data.dictionary import Dictionary
from lexigraft.core.data.word_generator import WordGenerator, endings_of, invent_suffixes
from lexigraft.core.utils.files import replacing

WORD = re.compile(r"[^\W\d_]+")
WORD_RUN = re.compile(r"(?<!\S)[^\W\d_]+(?: [^\W\d_]+)+(?!\S)")


@dataclass(frozen=True)
class ClonedLanguage:
    """Source text in a synthetic language, with the true word links.

    Attributes:
        lines: The target text, parallel to the source lines.
        dictionary: (source word, target word) for every word type, lower-cased, most frequent first.
        links: The same pairs with how often each occurs in the text.
        forward: Target form of each lower-cased source word.
        backward: The inverse of ``forward``.
        window: How many consecutive words are reversed together; 1 keeps the order.
    """

    lines: tuple[str, ...]
    dictionary: Dictionary
    links: Dictionary
    forward: Mapping[str, str]
    backward: Mapping[str, str]
    window: int

    def translate(self, line: str) -> str:
        """Source text in the synthetic language; words that the cloned text does not contain stay as they are."""
        return _reverse_windows(_replace_words(line, self.forward), self.window)

    def invert(self, line: str) -> str:
        """The source of a target line, exactly."""
        return _replace_words(_reverse_windows(line, self.window), self.backward)

    def write(self, folder: Path) -> dict[str, Path]:
        """Write ``target.txt``, ``dictionary.tsv`` and ``links.tsv`` (with counts).

        Args:
            folder: The folder; made when missing.

        Returns:
            The paths by stem.

        Raises:
            LexigraftError: A file cannot be written.
        """
        files = {
            "target": folder / "target.txt",
            "dictionary": folder / "dictionary.tsv",
            "links": folder / "links.tsv",
        }
        with replacing(files["target"]) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in self.lines), encoding="utf-8", newline="")
        self.dictionary.write(files["dictionary"])
        self.links.write(files["links"])
        return files


def clone_language(lines: Iterable[str], *, seed: int, suffixes: bool = True, reorder: bool = False) -> ClonedLanguage:
    """Replace every word of a text by an invented one; digits, punctuation and casing stay.

    The forms follow syllable patterns drawn from the seed, frequent words are short, no two words share a form and no
    form is a word of the source text. Words in unusual casing (``iPhone``) stay, which keeps the change invertible.

    Args:
        lines: The source text.
        seed: Chooses the sounds, the words, the suffixes and the word order.
        suffixes: Inflected English words (-s, -ed, -ing, -ly, -er, -est, -ness) become their stem's form with a regular
            suffix, where the stem is itself a word of the text.
        reorder: Reverse the words in fixed windows of 2 to 4 inside runs of words without punctuation.

    Returns:
        The target text with its dictionary, its counted links and its inverse.
    """
    source = tuple(lines)
    rng = np.random.default_rng(seed)
    taken: set[str] = set()
    counts: Counter[str] = Counter()
    for line in source:
        for word in WORD.findall(line):
            key = word.lower()
            taken.add(key)
            if _casing(word) is not None:
                counts[key] += 1
    ranked = sorted(counts, key=lambda w: (-counts[w], w))
    forward = _forms(ranked, WordGenerator(rng, taken), suffixes, rng)
    window = int(rng.integers(2, 5)) if reorder else 1
    pairs = [(word, forward[word]) for word in ranked]
    language = ClonedLanguage(
        lines=(),
        dictionary=Dictionary.of(pairs),
        links=Dictionary.of(pairs, [counts[word] for word in ranked]),
        forward=forward,
        backward={target: word for word, target in forward.items()},
        window=window,
    )
    return replace(language, lines=tuple(language.translate(line) for line in source))


def _forms(ranked: list[str], generator: WordGenerator, suffixes: bool, rng: np.random.Generator) -> dict[str, str]:
    """The form of each word: first invented roots by rank, then the words inflected from them, shorter words first."""
    endings = invent_suffixes(rng) if suffixes else {}
    known = frozenset(ranked)
    built_on: dict[str, tuple[str, str]] = {}
    if suffixes:
        built_on = {word: parts for word in ranked if (parts := endings_of(word, known)) is not None}
    forms = {word: generator.root(rank) for rank, word in enumerate(ranked) if word not in built_on}
    ranks = {word: rank for rank, word in enumerate(ranked)}
    for word in sorted(built_on, key=lambda w: (len(w), w)):
        stem, ending = built_on[word]
        forms[word] = generator.accept(forms[stem] + endings[ending]) or generator.root(ranks[word])
    return forms


def _casing(word: str) -> str | None:
    """How a word is cased: ``lower``, ``title``, ``upper``; ``None`` for a casing that could not be restored."""
    lower = word.lower()
    if not word.isalpha():
        return None
    if word == lower:
        return "lower"
    if word == lower[0].upper() + lower[1:] and len(lower[0].upper()) == 1:
        return "title"
    return "upper" if word == lower.upper() else None


def _replace_words(line: str, forms: Mapping[str, str]) -> str:
    def replacement(match: re.Match[str]) -> str:
        word = match.group()
        form = forms.get(word.lower())
        casing = _casing(word)
        if form is None or casing is None:
            return word
        if casing == "title":
            return form[0].upper() + form[1:]
        return form.upper() if casing == "upper" else form

    return WORD.sub(replacement, line)


def _reverse_windows(line: str, window: int) -> str:
    if window == 1:
        return line

    def reversed_words(match: re.Match[str]) -> str:
        words = match.group().split(" ")
        return " ".join(w for i in range(0, len(words), window) for w in reversed(words[i : i + window]))

    return WORD_RUN.sub(reversed_words, line)

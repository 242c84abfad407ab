"""Dictionary code-switching: words and phrases in exchange for translations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from lexigraft.augmenters import AnnotatedText, Augmenter, Edit, LexigraftError, Piece
from lexigraft.core.data.segments.sentences import Sentences

if TYPE_CHECKING:
    import numpy as np

    from lexigraft.core.data.dictionary import Dictionary
    from lexigraft.core.data.dictionary_links import DictionaryMatcher, Entry


@dataclass(frozen=True)
class CodeSwitch(Augmenter):
    """Put a dictionary's translation in the place of a word or phrase, with probability p.

    The longest phrase that the dictionary knows counts. Of several translations one is drawn for each occurrence, in
    proportion to the dictionary's counts where it has counts. A word that is written as in the dictionary gets the
    translation as the dictionary has it; another one passes its case on: ``Casa`` gives ``House``, ``CASA`` gives
    ``HOUSE``.

    Source: Zan et al. 2022, "Bridging Cross-Lingual Gaps During Leveraging the Multilingual Sequence-to-Sequence
    Pretraining for Text Generation" (p 0.35, words of MUSE dictionaries); Qin et al. 2020, "CoSDA-ML".

    Attributes:
        p: The probability with which a known word, or a sentence, is switched.
        file: The dictionary: a word of the text TAB its translation [TAB count], one pair a line; TSV or TSV.gz; of
            several files all pairs.
        reverse: Whether the text's words are in the second column.
        per: What is drawn: each known word alone, or a sentence, of which all known words are then switched.
        match_case: Whether a word must have the dictionary's capitals.
        loss_on_translations: Whether the model learns to predict the translations.
    """

    name: ClassVar[str] = "code_switch"
    edits_at: ClassVar[Literal["anchors", "words", "characters"]] = "words"
    loss_options: ClassVar[Mapping[str, str]] = {"translation": "loss_on_translations"}
    p: float = 0.35
    file: str | tuple[str, ...] = ""
    reverse: bool = False
    per: Literal["word", "sentence"] = "word"
    match_case: bool = False
    loss_on_translations: bool = True

    def check(self) -> None:
        """Refuse a dictionary that is not named, not there, or has no pair."""
        if not self.file:
            raise LexigraftError(f"{self.name} has no dictionary", "file", "Name one: file=words.tsv")
        _ = self._dictionary

    @property
    def content(self) -> str:
        """The dictionary's hash."""
        return self._dictionary.hash

    @property
    def seeks(self) -> str:
        """Some words of the dictionary."""
        words = ", ".join(f"'{word}'" for word in islice(dict(self._dictionary.pairs), 5))
        return f"the words of {', '.join(self._files)}, such as {words}"

    def opportunities(self, document: AnnotatedText) -> int:
        """How many words and phrases the dictionary knows.

        Args:
            document: The document.
        """
        return sum(1 for _ in self._matcher.matches(document.text))

    def edits(self, document: AnnotatedText, generator: np.random.Generator) -> Sequence[Edit]:
        """A translation for each word or phrase that is drawn.

        Args:
            document: The document.
            generator: Draws the words and their translations.

        Returns:
            One edit for each.
        """
        if not self.active:
            return ()
        matches = list(self._matcher.matches(document.text))
        sentences = Sentences(document.text)
        used = generator.random(len(matches) if self.per == "word" else len(sentences)) < self.p
        choices = generator.random(len(matches))
        edits = []
        for number, (start, end, entries) in enumerate(matches):
            if used[number if self.per == "word" else sentences.at(start)]:
                text = _in_case_of(document.text[start:end], _chosen(entries, float(choices[number])))
                edits.append(Edit(start, end, (Piece(text, "translation", self.loss_on_translations),)))
        return edits

    def sample(self, folder: Path) -> Mapping[str, Any]:
        """A dictionary of some words of the sample documents."""
        path = folder / "words.tsv"
        path.write_text("".join(f"{word}\t{translation}\n" for word, translation in _SAMPLE), encoding="utf-8")
        return {"file": str(path)}

    @property
    def _files(self) -> list[str]:
        return [self.file] if isinstance(self.file, str) else list(self.file)

    @cached_property
    def _dictionary(self) -> Dictionary:
        from lexigraft.core.config.recipe import DictionarySettings
        from lexigraft.core.data.dictionary import load_dictionary

        return load_dictionary(DictionarySettings(path=self._files, reverse=self.reverse))

    @cached_property
    def _matcher(self) -> DictionaryMatcher:
        from lexigraft.core.data.dictionary_links import DictionaryMatcher

        return DictionaryMatcher(self._dictionary, self.match_case)


_SAMPLE = (
    ("hatun", "big"), ("aswan hatun", "biggest"), ("Qusqu", "Cusco"), ("Qusqu", "Cuzco"), ("города", "cities"),
    ("река", "river"), ("реке", "river"), ("مدينة", "city"), ("东京", "Tokyo"), ("日本", "Japan"), ("नदी", "river"),
    ("sông", "river"), ("เกาะ", "island"), ("kan", "is"),
)  # fmt: skip


def _chosen(entries: Sequence[Entry], draw: float) -> Entry:
    """The entry that a number from 0 to 1 falls on, each as wide as its weight."""
    left = draw * sum(entry.weight for entry in entries)
    for entry in entries:
        left -= entry.weight
        if left < 0:
            return entry
    return entries[-1]


def _in_case_of(written: str, entry: Entry) -> str:
    """The translation in the case of the word that it replaces."""
    if written == entry.word:
        return entry.translation
    if written.isupper() and len(written) > 1:
        return entry.translation.upper()
    if written.islower() and not entry.word.islower():
        return entry.translation.lower()
    if written[0].isupper():
        return entry.translation[0].upper() + entry.translation[1:]
    return entry.translation

"""A cloned language whose entities are known: paragraphs of a Wikipedia corpus in invented words, with names to link.

    lexigraft corpus wikipedia --dump enwiki-….xml.bz2 --lang en --entities wikidata.json.bz2 --names es --out wikipedia
    python benchmarks/corpus/cloned_entities.py --wikipedia wikipedia --out clone
    lexigraft corpus link --text clone/clone.txt --dictionary clone/names.tsv --match-case --out clone/clone.jsonl

Entities are titles that links name as they stand; the `--entities` that most paragraphs mention are taken. The
paragraphs that mention one are cloned; every fifth is for training, the others are held out. `OUT` then holds the clone
and its English (`clone.txt`, `english.txt`, and `clone.heldout.txt`, `english.heldout.txt`), the entities' names
(`names.tsv`: clone TAB English; `english_names.tsv`: English twice, to ask the same questions in English) and the true
word links, all of them (`links.tsv`) and without the words of the names (`other_links.tsv`).
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from lexigraft.core.data.annotated_text import AnnotatedText, read_annotated
from lexigraft.core.data.cloned_language import clone_language
from lexigraft.core.data.dictionary import Dictionary

SHORTEST, LONGEST = 80, 700
NAME = re.compile(r"[A-Z][a-z]{2,}(?: [A-Z][a-z]{2,})?")


def main() -> int:
    """Write the files and say how much they hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wikipedia", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--entities", type=int, default=50)
    given = parser.parse_args()
    articles = list(read_annotated(given.wikipedia))
    lines = (line for article in articles for line in article.text.splitlines() if SHORTEST <= len(line) <= LONGEST)
    english, names = with_entities(dict.fromkeys(lines), linked_names(articles), given.entities)
    language = clone_language(english, seed=0)
    given.out.mkdir(parents=True, exist_ok=True)
    language.links.write(given.out / "links.tsv")
    without(language.links, {word for name in names for word in name.lower().split()}).write(
        given.out / "other_links.tsv"
    )
    for name, text in (("clone", language.lines), ("english", english)):
        _write(given.out / f"{name}.txt", text[::5])
        _write(given.out / f"{name}.heldout.txt", [line for n, line in enumerate(text) if n % 5])
    _write(given.out / "names.tsv", [f"{language.translate(name)}\t{name}" for name in names])
    _write(given.out / "english_names.tsv", [f"{name}\t{name}" for name in names])
    print(f"{len(english):,} paragraphs, {sum(map(len, english)):,} characters, {len(names):,} entities")
    return 0


def linked_names(articles: Iterable[AnnotatedText]) -> list[str]:
    """Titles of one or two capitalized words that two links or more name as they stand."""
    counts = Counter(
        anchor.title
        for article in articles
        for anchor in article.anchors
        if article.text[anchor.start : anchor.end] == anchor.title and NAME.fullmatch(anchor.title)
    )
    return [name for name, count in counts.items() if count > 1]


def with_entities(lines: Iterable[str], names: Sequence[str], entities: int) -> tuple[list[str], list[str]]:
    """The names that most lines mention, and the lines that mention one of them."""
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b")
    mentioned = {line: set(pattern.findall(line)) for line in lines}
    counts = Counter(name for found in mentioned.values() for name in found)
    chosen = {name for name, _ in counts.most_common(entities)}
    return [line for line, found in mentioned.items() if found & chosen], sorted(chosen)


def without(links: Dictionary, words: Collection[str]) -> Dictionary:
    """The links of all other source words."""
    kept = {pair: count for pair, count in zip(links.pairs, links.weights or (), strict=True) if pair[0] not in words}
    return Dictionary.of(kept, list(kept.values()))


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

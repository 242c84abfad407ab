"""A bilingual dictionary built from files of any format, or from parallel text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from lexigraft.api.dictionary.from_parallel import linked_words
from lexigraft.core.config.recipe import ParallelSettings
from lexigraft.core.data.dictionary import Dictionary, Row, pivoted
from lexigraft.core.data.dictionary_formats.reading import Format, read_rows
from lexigraft.core.errors import LexigraftError

Case = Literal["keep", "lower"]
Multiword = Literal["keep", "drop", "first"]
Paths = Sequence[str | Path]


@dataclass(frozen=True)
class BuildSettings:
    """How entries are read and changed.

    Attributes:
        format: The files' format; by their names where not given.
        languages: The two languages of PanLex-like files.
        invert: Exchange the columns at the end.
        case: ``lower`` writes every word in lower case, before a pivot joins.
        multiword: What becomes of an entry with a side of several words, after a pivot: it stays, it is dropped, or the
            first word of each side stays.
        min_count: From parallel text: how often two words are linked at least.
        min_probability: From parallel text: the least share of a source word's links that go to the target word.
        aligner: The word aligner: ``builtin`` or ``eflomal``.
    """

    format: Format | None = None
    languages: tuple[str, str] | None = None
    invert: bool = False
    case: Case = "keep"
    multiword: Multiword = "keep"
    min_count: int = 3
    min_probability: float = 0.1
    aligner: Literal["builtin", "eflomal"] = "builtin"


@dataclass(frozen=True)
class BuiltDictionary:
    """What was written.

    Attributes:
        out: The file.
        dictionary: Its entries.
        counts: Rows read, rejected, changed and dropped, by what became of them; entries written.
    """

    out: Path
    dictionary: Dictionary
    counts: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"out": str(self.out), **self.counts}


def build_dictionary(
    files: Paths,
    out: str | Path,
    settings: BuildSettings = BuildSettings(),
    *,
    pivot: Paths = (),
    parallel: tuple[str | Path, str | Path] | None = None,
    force: bool = False,
) -> BuiltDictionary:
    """Write a dictionary as TSV: source, target and, where it is known, a count.

    Args:
        files: Dictionaries, read one after the other.
        out: The file to write.
        settings: How entries are read and changed.
        pivot: Further dictionaries: what has the same first column there becomes the target of the second column here.
        parallel: Two files of text, aligned line by line, in place of ``files``.
        force: Replace the file if it exists.

    Raises:
        LexigraftError: A file that cannot be read, or no entry left.
    """
    out = Path(out)
    if out.exists() and not force:
        raise LexigraftError("output file exists", out, "Choose another --out, or pass --force to replace it")
    if bool(files) == (parallel is not None):
        raise LexigraftError("give dictionaries or parallel text", hint="Give FILE…, or --from-parallel SOURCE TARGET")
    if pivot and parallel is not None:
        raise LexigraftError("parallel text is not joined", hint="Write it first, then build with --pivot")
    counts: Counter[str] = Counter()
    made = _from_text(parallel, settings, counts) if parallel else _read(files, settings, counts)
    if pivot:
        made = pivoted(made, _read(pivot, settings, counts))
        counts["joined"] = len(made)
        if not made.pairs:
            hint = "Both must have the pivot language in the first column: build one of them with --invert first"
            raise LexigraftError("the dictionaries share no first column", _names([*files, *pivot]), hint)
    pairs = list(_with_policy(made, settings.multiword, counts))
    final = Dictionary.of([pair for pair, _ in pairs], [w for _, w in pairs] if made.weights is not None else None)
    counts["repeated"] += len(pairs) - len(final)
    counts["entries"] = len(final)
    if not final.pairs:
        raise LexigraftError("no entry is left", ", ".join(f"{k} {v:,}" for k, v in counts.items() if v), "See --help")
    final = final.reversed() if settings.invert else final
    final.write(out)
    return BuiltDictionary(out, final, dict(counts))


def read_dictionary(path: str | Path, settings: BuildSettings = BuildSettings()) -> Dictionary:
    """Read one file of any format.

    Raises:
        LexigraftError: A file that cannot be read, or without an entry.
    """
    return _read([path], settings, Counter())


def _read(files: Paths, settings: BuildSettings, counts: Counter[str]) -> Dictionary:
    change: Callable[[str], str] = str.lower if settings.case == "lower" else str
    rows = (read_rows(Path(path).expanduser(), settings.format, settings.languages) for path in files)
    before = counts["rows"] - counts["rejected"]
    made = Dictionary.of_rows(_changed(chain.from_iterable(rows), change, counts))
    if not made.pairs:
        shown = f"{_names(files)} ({made.rejected:,} rejected)"
        raise LexigraftError("dictionary has no usable pair", shown, "Check the files and their --format")
    counts["repeated"] += counts["rows"] - counts["rejected"] - before - len(made)
    return made


def _changed(rows: Iterable[Row | None], change: Callable[[str], str], counts: Counter[str]) -> Iterator[Row | None]:
    for row in rows:
        counts["rows"] += 1
        counts["rejected"] += row is None
        yield None if row is None else (change(row[0]), change(row[1]), row[2])


def _from_text(parallel: tuple[str | Path, str | Path], settings: BuildSettings, counts: Counter[str]) -> Dictionary:
    source, target = parallel
    given = ParallelSettings(source=[str(source)], target=[str(target)], aligner=settings.aligner)
    found = linked_words(given, settings.case == "lower")
    kept = {
        pair: count
        for pair, count in found.counts.items()
        if count >= settings.min_count and count >= settings.min_probability * found.links_of[pair[0]]
    }
    counts["sentences"] = found.sentences
    counts["linked pairs"] = len(found.counts)
    counts["too rare or improbable"] = len(found.counts) - len(kept)
    return Dictionary.of(kept, list(map(float, kept.values())))


def _with_policy(made: Dictionary, policy: Multiword, counts: Counter[str]) -> Iterator[tuple[tuple[str, str], float]]:
    weights = made.weights or (1.0,) * len(made)
    for pair, weight in zip(made.pairs, weights, strict=True):
        if any(len(side.split()) > 1 for side in pair) and policy != "keep":
            counts["shortened to a word" if policy == "first" else "dropped for several words"] += 1
            if policy == "drop":
                continue
            pair = (pair[0].split()[0], pair[1].split()[0])
        yield pair, weight


def _names(files: Paths) -> str:
    return ", ".join(map(str, files))

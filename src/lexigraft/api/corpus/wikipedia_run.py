"""Parts and resumption of `lexigraft corpus wikipedia`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Literal

from lexigraft.core.data.annotated_text import document_of, write_annotated
from lexigraft.core.data.wikipedia.dump import Dump
from lexigraft.core.data.wikipedia.entities import add_entities
from lexigraft.core.data.wikipedia.extraction import Extracted, shown_title
from lexigraft.core.data.wikipedia.redirects import read_redirects
from lexigraft.core.data.wikipedia.site import Site
from lexigraft.core.data.wikipedia.title_index import TitleIndex, new_index
from lexigraft.core.data.wikipedia.workers import Batch, Rows, WorkerSettings, extract_batches
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.files import replacing, write_whole
from lexigraft.core.utils.hashing import file_hash, hash_of
from lexigraft.core.utils.versions import code_version

Format = Literal["jsonl", "parquet"]
Progress = Callable[[str, int, int], None]
"""Called with what is done, the bytes of the dump that were read, and all."""
SUFFIXES: dict[Format, str] = {"jsonl": ".jsonl.gz", "parquet": ".parquet"}
BATCH_BYTES = 2**19
"""XML that a process is given at a time."""
PART_BYTES = 2**26
"""XML that one file of the output is made of: what a run that is ended loses, at most."""
ENOUGH_ANCHORS = 20_000
"""Anchors of which none has a name, after which the entity files are taken for those of another wiki."""
LEFT_OUT = ("redirects", "other_namespaces", "empty", "no_wikitext", "broken", "unreadable", "too_large")
"""What pages are that are no document, as they are counted."""
COUNTS = ("articles", *LEFT_OUT, "characters", "anchors", "named_anchors", "circular_anchors")
FACTS, INDEX, INPUTS = "lexigraft.json", "titles.sqlite", "inputs"


class Ended(LexigraftError):
    """The end of a run that can go on: its parts stay where they are."""


@dataclass
class WikipediaRun:
    """A run of one input.

    Attributes:
        dumps: Files of the dump.
        entities: Entity files.
        site: The wiki.
        names: The languages whose names the anchors get.
        format: What the parts are.
        progress: Told how far the dump is read.
    """

    dumps: Sequence[Path]
    entities: Sequence[Path]
    site: Site
    names: Sequence[str]
    format: Format
    progress: Progress

    def write(self, folder: Path, processes: int) -> tuple[Counter[str], tuple[str, ...]]:
        """Write everything; what an earlier run of the same input finished is kept."""
        key = self._key()
        if not (folder / INPUTS).is_file() or (folder / INPUTS).read_text("utf-8") != key:
            for path in folder.iterdir():
                path.unlink()
            write_whole(folder / INPUTS, key)
        problems = self._index(folder)
        found = Extracted()
        warnings: list[str] = []
        settings = WorkerSettings(self.site, folder / INDEX, self.format == "jsonl")
        done = [n for n in map(_number, folder.glob("part-*.counts")) if (folder / self._name(n)).is_file()]
        for number in done:
            found.add(_read_counts(folder / self._name(number, ".counts")))
        batches = (batch for batch in self._batches(found, warnings) if batch.part not in done)
        try:
            with closing(extract_batches(batches, settings, processes)) as rows:
                for number, group in groupby(rows, key=lambda one: one.part):
                    found.add(self._write_part(folder, number, group))
                    self._refuse_nameless(folder, found, ENOUGH_ANCHORS)
        except OSError as error:
            raise Ended("cannot write the output folder", folder, f"{error.strerror}; run it again to go on") from error
        self._refuse_nameless(folder, found, 1)
        if not found.counts["articles"]:
            raise LexigraftError("the dump holds no article with text", ", ".join(map(str, self.dumps)), _told(found))
        return self._finish(folder, found, [*problems, *warnings])

    def _key(self) -> str:
        """What a run is of: nothing of another run may be used."""
        files = [file_hash(path) for path in (*self.dumps, *self.entities)]
        settings = [self.site.database, list(self.names), self.format, len(self.dumps), BATCH_BYTES, PART_BYTES]
        return hash_of([files, settings, code_version(), version("mwparserfromhell")])

    def _index(self, folder: Path) -> list[str]:
        """Make the index of titles, unless it is there; what was wrong with the entity files."""
        told = folder / f"{INDEX}.problems"
        if (folder / INDEX).is_file():
            problems: list[str] = json.loads(told.read_text("utf-8"))
            return problems
        with new_index(folder / INDEX) as writer:
            read = add_entities(self.entities, self.site, self.names, writer)
            if self.entities and not read.names:
                given = ", ".join(map(str, self.entities))
                hint = f"The dump is of {self.site.database}; give entity files of this wiki, not of another one"
                raise LexigraftError(f"entity files know no article of {self.site.database}", given, hint)
            for dump in self._opened("reading redirects"):
                writer.add_redirects(read_redirects(dump.pages(), self.site))
            write_whole(told, json.dumps(read.problems))
        return list(read.problems)

    def _opened(self, what: str) -> Iterator[Dump]:
        """Open the dumps one after the other, and tell how far they are read."""
        total = sum(path.stat().st_size for path in self.dumps)
        before = 0
        for path in self.dumps:
            dump = Dump(path)
            dump.blocks.told = partial(self._tell, what, before, total)
            yield dump
            before += dump.blocks.read

    def _tell(self, what: str, before: int, total: int, read: int) -> None:
        self.progress(what, before + read, total)

    def _batches(self, found: Extracted, warnings: list[str]) -> Iterator[Batch]:
        """Pages in batches, each of one part; the same ones in every run."""
        pages: list[bytes] = []
        size = total = 0
        for dump in self._opened("reading articles"):
            last = b""
            for last in dump.pages():
                pages.append(last)
                size += len(last)
                if size >= BATCH_BYTES:
                    yield Batch(total // PART_BYTES, pages)
                    total += size
                    pages, size = [], 0
            found.counts["broken"] += dump.broken
            found.counts["too_large"] += dump.too_large
            if dump.blocks.damage:
                warnings.append(f"{dump.blocks.damage}; kept are the pages up to {shown_title(last)}")
        if pages:
            yield Batch(total // PART_BYTES, pages)

    def _name(self, number: int, suffix: str | None = None) -> str:
        return f"part-{number:05}{suffix or SUFFIXES[self.format]}"

    def _write_part(self, folder: Path, number: int, rows: Iterator[Rows]) -> Extracted:
        """Write one file of the output and its counts; the file appears when it is whole."""
        found = Extracted()

        def lines() -> Iterator[bytes]:
            for one in rows:
                found.add(one.found)
                yield one.lines

        path = folder / self._name(number)
        if self.format == "parquet":
            split = (line for part in lines() for line in part.splitlines())
            write_annotated(path, (document_of(json.loads(line), "") for line in split))
        else:
            with replacing(path) as temporary, temporary.open("wb") as file:
                file.writelines(lines())
        kept = {"counts": found.counts, "problems": found.problems, "titles": found.titles}
        write_whole(folder / self._name(number, ".counts"), json.dumps(kept, ensure_ascii=False))
        return found

    def _refuse_nameless(self, folder: Path, found: Extracted, enough: int) -> None:
        """Refuse entity files of which no anchor got a name."""
        if not self.entities or found.counts["named_anchors"] or found.counts["anchors"] < enough:
            return
        with closing(TitleIndex(folder / INDEX)) as index:
            known = ", ".join(index.some_titles(5))
        shown = f"anchors: {', '.join(found.titles)}; entity files: {known}"
        hint = f"Give entity files of {self.site.database} that have names in {', '.join(self.names)}"
        raise LexigraftError("entity files name no anchor", shown, hint)

    def _finish(self, folder: Path, found: Extracted, warnings: list[str]) -> tuple[Counter[str], tuple[str, ...]]:
        """Leave the annotated text and the facts of the run alone in the folder."""
        with closing(TitleIndex(folder / INDEX)) as index:
            known = {f"known_{name}": count for name, count in index.counts().items()}
        counts = Counter({name: found.counts[name] for name in COUNTS if found.counts[name]} | known)
        if left_out := counts["broken"] + counts["unreadable"] + counts["too_large"]:
            first = f"; the first: {'; '.join(found.problems)}" if found.problems else ""
            warnings = [*warnings, f"pages left out, since they cannot be read: {left_out:,}{first}"]
        for path in [*folder.glob("part-*.counts"), *folder.glob(f"{INDEX}*"), folder / INPUTS]:
            path.unlink()
        facts = {"kind": "annotated text", "wiki": self.site.database, "names": list(self.names), "counts": counts}
        write_whole(folder / FACTS, json.dumps(facts | {"warnings": warnings}, indent=2, ensure_ascii=False))
        return counts, tuple(warnings)


def _number(path: Path) -> int:
    return int(path.name[5:10])


def _read_counts(path: Path) -> Extracted:
    kept = json.loads(path.read_text("utf-8"))
    return Extracted(Counter(kept["counts"]), kept["problems"], kept["titles"])


def _told(found: Extracted) -> str:
    return f"Its pages: {', '.join(f'{name} {found.counts[name]:,}' for name in LEFT_OUT)}"

"""Annotated text made of Wikipedia dumps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexigraft.api.corpus.wikipedia_run import INDEX, INPUTS, SUFFIXES, Ended, Format, Progress, WikipediaRun
from lexigraft.core.data.wikipedia.dump import Dump
from lexigraft.core.data.wikipedia.site import Site, database_of, read_site
from lexigraft.core.data.wikipedia.wikitext import tokenizer
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.files import refuse_existing, whole_folder


@dataclass(frozen=True)
class WikipediaCorpus:
    """What was written.

    Attributes:
        out: The folder.
        files: Its files of annotated text, in the order of the dump.
        database: The wiki: ``quwiki``.
        counts: Pages by what became of them, anchors, anchors with a name, characters; redirects and entities known.
        warnings: Sentences about damage and broken pages.
    """

    out: Path
    files: tuple[Path, ...]
    database: str
    counts: dict[str, int]
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        files = [str(path) for path in self.files]
        return {
            "out": str(self.out), "wiki": self.database, "files": files, **self.counts, "warnings": list(self.warnings)
        }  # fmt: skip


def wikipedia_corpus(
    dumps: Sequence[str | Path],
    out: str | Path,
    *,
    language: str,
    entities: Sequence[str | Path] = (),
    names: Sequence[str] = ("en",),
    format: Format = "jsonl",
    processes: int | None = None,
    force: bool = False,
    progress: Progress = lambda what, done, total: None,
) -> WikipediaCorpus:
    """Write the articles of dumps as annotated text.

    A run that is killed leaves its finished parts beside ``out``; the same call goes on after them.

    Args:
        dumps: Files of one wiki's dump (XML; plain, bzip2, gzip), in order.
        out: The folder to write.
        language: The code of the Wikipedia: ``qu``.
        entities: A Wikidata dump (JSON), or SQL dumps: ``langlinks`` and ``page``, if wanted ``redirect`` and
            ``page_props``.
        names: The languages whose names the anchors get.
        format: ``jsonl`` (compressed) or ``parquet``.
        processes: How many processes read pages; all cores by default.
        force: Replace the folder if it exists.
        progress: Told how far the dump is read.

    Raises:
        LexigraftError: A missing or broken file, another wiki's dump, no article, or entity files that name no anchor.
    """
    out = Path(out)
    paths, entity_paths = [Path(p).expanduser() for p in dumps], [Path(p).expanduser() for p in entities]
    if format not in SUFFIXES:
        raise LexigraftError("unknown format", format, f"Known: {', '.join(SUFFIXES)}")
    if not paths:
        raise LexigraftError("no dump given", hint="Give at least one, as quwiki-latest-pages-articles.xml.bz2")
    tokenizer()
    refuse_existing(out, force)
    site = _site(paths, language)
    for path in entity_paths:
        if not path.is_file():
            raise LexigraftError("entity file not found", path, "Give a Wikidata dump, or SQL dumps")
    run = WikipediaRun(paths, entity_paths, site, tuple(dict.fromkeys(names)), format, progress)
    kept = (f"part-*{SUFFIXES[format]}", "part-*.counts", f"{INDEX}*", INPUTS)
    with whole_folder(out, force, resume=kept, keep_after=(Ended,)) as folder:
        found, warnings = run.write(folder, processes or len(os.sched_getaffinity(0)))
    files = tuple(sorted(out.glob(f"part-*{SUFFIXES[format]}")))
    return WikipediaCorpus(out, files, site.database, dict(found), warnings)


def _site(paths: Sequence[Path], language: str) -> Site:
    """The wiki that all dumps are of.

    Raises:
        LexigraftError: Another language than said, or dumps of two wikis.
    """
    sites = [read_site(Dump(path).header, path) for path in paths]
    for path, site in zip(paths, sites, strict=True):
        if site.database != database_of(language):
            hint = (
                f"It is of {site.database}: give --lang {site.language}" if site.language else "It is of no Wikipedia"
            )
            raise LexigraftError("the dump is of another wiki", f"{path}: {site.database}, --lang {language}", hint)
    return sites[0]

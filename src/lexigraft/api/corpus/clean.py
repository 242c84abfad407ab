"""Training text without repetitions, other languages and evaluation text."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from lexigraft.api.corpus.language_filter import OtherLanguage
from lexigraft.api.tasks import read_tasks
from lexigraft.core.config.recipe_files import read_recipe
from lexigraft.core.data.cleaning.cleaning import Cleaning
from lexigraft.core.data.cleaning.line_filters import EvaluationText, ExactDuplicates, LineFilter, MaxLength, MinLength
from lexigraft.core.data.cleaning.near_duplicates import NearDuplicates
from lexigraft.core.data.cleaning.scripts import OtherScript, require_codes
from lexigraft.core.data.corpus import load_corpus
from lexigraft.core.data.readers import expand, read_lines
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.files import replacing

Duplicates = Literal["exact", "near", "off"]
Paths = Sequence[str | Path]


@dataclass(frozen=True)
class CleanSettings:
    """What is dropped.

    Attributes:
        duplicates: ``exact`` for repeated lines, ``near`` for similar ones as well, ``off`` for neither.
        similarity: The least Jaccard similarity of near duplicates, 0.5 to 0.95.
        min_chars: Shorter lines are dropped.
        max_chars: Longer lines are dropped.
        scripts: Codes of ISO 15924; a line of mostly other letters, or none, is dropped.
        script_share: The least share of a line's letters that belong to them.
        language: A label of the language model; lines that it gives another language are dropped.
        language_model: A supervised fastText model, such as GlotLID's.
        min_probability: The least probability of the language.
        overlap: ``remove`` drops lines that hold evaluation text, ``refuse`` ends with an error.
    """

    duplicates: Duplicates = "exact"
    similarity: float = 0.8
    min_chars: int = 1
    max_chars: int | None = None
    scripts: tuple[str, ...] = ()
    script_share: float = 0.5
    language: str | None = None
    language_model: Path | None = None
    min_probability: float = 0.0
    overlap: Literal["remove", "refuse"] = "remove"


@dataclass(frozen=True)
class CleanedText:
    """What was written.

    Attributes:
        out: The file.
        lines: Lines that were read.
        kept: Lines that were written.
        bytes: UTF-8 bytes of these, without line ends.
        dropped: Dropped lines by the first reason that held.
        evaluation: For each evaluation set the lines that were dropped for its sake.
        examples: The first lines dropped, by reason.
    """

    out: Path
    lines: int
    kept: int
    bytes: int
    dropped: Mapping[str, int]
    evaluation: Mapping[str, int]
    examples: Mapping[str, Sequence[str]]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "out": str(self.out), "lines": self.lines, "kept": self.kept, "bytes": self.bytes,
            "dropped": dict(self.dropped), "evaluation": dict(self.evaluation),
            "examples": {reason: list(lines) for reason, lines in self.examples.items()},
        }  # fmt: skip


def clean_text(
    texts: Paths,
    out: str | Path,
    settings: CleanSettings = CleanSettings(),
    *,
    evaluation: Mapping[str, Sequence[str]] | None = None,
    text_field: str = "text",
    examples: int = 3,
    force: bool = False,
    progress: Callable[[int], None] = lambda lines: None,
) -> CleanedText:
    """Write the lines of a text that pass every filter, in their order.

    Args:
        texts: Files, globs, folders or ``hub:NAME[:split]``.
        out: The file to write: .txt or .jsonl, or one of them with .gz.
        settings: What is dropped.
        evaluation: Lines that no model may be trained on, by the name of their set; see :func:`evaluation_sets`.
        text_field: The field or column that holds the text.
        examples: How many of the first lines that a filter drops are told.
        force: Replace the file if it exists.
        progress: Called with the lines read so far.

    Raises:
        LexigraftError: A file or setting that cannot be used, no line left, or, with ``overlap: refuse``, a line that
            holds evaluation text.
    """
    out = Path(out)
    if out.exists() and not force:
        raise LexigraftError("output file exists", out, "Choose another --out, or pass --force to replace it")
    _refuse_other_suffix(out)
    expand(texts)
    guard = EvaluationText(evaluation) if evaluation else None
    cleaning = Cleaning(_filters(settings, guard), examples)
    with replacing(out) as temporary:
        with _writer(temporary, out) as write:
            for lines in cleaning.stream(read_lines(texts, text_field)):
                for line in lines:
                    write(line)
                progress(cleaning.lines)
        if guard is not None and settings.overlap == "refuse" and cleaning.dropped[guard.reason]:
            first = next(iter(cleaning.examples[guard.reason]), "")[:80]
            held = f"{cleaning.dropped[guard.reason]:,} lines of {_named(guard.found)}"
            raise LexigraftError("the text holds evaluation text", f"{held}; {first!r}", "Use --overlap remove")
        if not cleaning.kept:
            raise LexigraftError("no line is left", _named(cleaning.dropped), "Loosen a filter, or give more text")
    found = dict(guard.found) if guard is not None else {}
    return CleanedText(
        out, cleaning.lines, cleaning.kept, cleaning.bytes, cleaning.dropped, found, cleaning.examples
    )  # fmt: skip


def evaluation_sets(files: Paths = (), recipe: Path | None = None, text_field: str = "text") -> dict[str, list[str]]:
    """Lines that no model may be trained on, by the name of their set.

    Args:
        files: Text files, each a set of its own.
        recipe: The recipe of a comparison: its held-out files, and what its tasks test on. Held-out lines that it would
            take from the training text itself are no set: every comparison takes them out.
        text_field: The field or column that holds the text of ``files``.

    Raises:
        LexigraftError: A file that is missing or empty, or a recipe or task that cannot be read.
    """
    sets = {str(path): list(load_corpus([path], text_field=text_field).lines) for path in files}
    if recipe is None:
        return sets
    settings = read_recipe(recipe)
    corpus = settings.corpus
    texts = {"heldout": corpus.heldout, **corpus.also_heldout, "source": corpus.source_heldout}
    for name, paths in texts.items():
        if paths:
            sets[name] = list(load_corpus(paths, text_field=corpus.text_field).lines)
    sets |= {f"task {task.name}": list(task.data.unseen) for task in read_tasks(settings.evaluation.tasks)}
    if not sets:
        hint = "It holds lines of its training text out, which every comparison does by itself; leave it out"
        raise LexigraftError("the recipe names no evaluation text", recipe, hint)
    return sets


def _filters(settings: CleanSettings, guard: EvaluationText | None) -> list[LineFilter]:
    """The filters, the quick ones first."""
    filters: list[LineFilter] = []
    if settings.max_chars is not None and settings.max_chars < settings.min_chars:
        shown = f"{settings.min_chars} and {settings.max_chars}"
        raise LexigraftError("no line is as long as min_chars and as short as max_chars", shown, "Swap them")
    if settings.min_chars > 1:
        filters.append(MinLength(settings.min_chars))
    if settings.max_chars is not None:
        filters.append(MaxLength(settings.max_chars))
    if settings.scripts:
        filters.append(OtherScript(require_codes(settings.scripts), settings.script_share))
    if settings.duplicates != "off":
        filters.append(ExactDuplicates())
    if guard is not None:
        filters.append(guard)
    if settings.language is not None and settings.language_model is not None:
        filters.append(OtherLanguage(settings.language_model, settings.language, settings.min_probability))
    elif settings.language is not None or settings.language_model is not None:
        given = settings.language or settings.language_model
        hint = "Give --language with --language-model: a label such as quy_Latn, and GlotLID's model.bin"
        raise LexigraftError("a language needs a model that identifies it", given, hint)
    if settings.duplicates == "near":
        filters.append(NearDuplicates(settings.similarity))
    return filters


def _named(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count:,})" for name, count in counts.items() if count)


def _refuse_other_suffix(out: Path) -> None:
    if out.suffix == ".gz":
        out = out.with_suffix("")
    if out.suffix not in (".txt", ".jsonl"):
        raise LexigraftError("output has another ending", out, "Name it .txt, .jsonl, .txt.gz or .jsonl.gz")


@contextmanager
def _writer(path: Path, named: Path) -> Iterator[Callable[[str], None]]:
    """A function that writes one text; the name says how."""
    as_json = ".jsonl" in named.suffixes

    def write(line: str) -> None:
        if as_json:
            line = json.dumps({"text": line}, ensure_ascii=False)
        elif "\n" in line:
            raise LexigraftError("a text holds several lines", repr(line[:60]), "Write them to a .jsonl file")
        file.write(f"{line}\n".encode())

    with path.open("wb") as raw, ExitStack() as stack:
        file: IO[bytes] | gzip.GzipFile = raw
        if named.suffix == ".gz":
            # Neither the time nor the name goes into the file, so that the same lines give the same bytes.
            file = stack.enter_context(gzip.GzipFile("", "wb", fileobj=raw, mtime=0))
        yield write

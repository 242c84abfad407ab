"""English sentences from the documentation of installed packages, which needs no download."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from lexigraft.core.errors import LexigraftError

PACKAGES = (
    "scipy", "numpy", "scikit-learn", "pandas", "matplotlib", "networkx", "sympy", "SQLAlchemy", "torch",
    "mlflow", "transformers", "peft", "accelerate", "pydantic", "rich", "typer", "click", "Jinja2", "PyYAML",
    "requests", "aiohttp", "cryptography", "setuptools", "pip", "fastapi", "starlette", "Flask", "Werkzeug",
    "huggingface_hub", "fsspec", "joblib", "pyarrow", "pillow", "safetensors", "tqdm", "hypothesis", "pytest",
)  # fmt: skip
COMMON = frozenset({
    "the", "a", "an", "of", "to", "and", "in", "is", "are", "be", "for", "with", "that", "this", "it", "as",
    "on", "by", "or", "if", "not", "from", "which", "when", "can", "will", "was", "were", "has", "have", "at",
    "you", "we", "they", "but", "than", "then", "into", "each", "any", "all", "its", "their", "there", "these",
    "those", "would", "should", "may", "must",
})  # fmt: skip
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
MARKS = (">>>", "...", "..", "- ", "* ", "|", "=", "#", "```", "+-")
DOCSTRING = re.compile(r'("""|\'\'\')\n?(.*?)\1', re.DOTALL)
REFUSED = re.compile(r"[`*_=<>{}\[\]|\\/@#$%^~+]|::|>>>|\.\.\.|https?:|--|\w\(|\w\.\w|[a-z][A-Z]| : ")
ROLE = re.compile(r":[a-zA-Z:]+:`~?\.?([^`<]*?)(?: *<[^`]*>)?`")
LITERAL = re.compile(r"``?([A-Za-z][A-Za-z ]*)``?|\*\*?([A-Za-z][A-Za-z ]*)\*\*?")
WORDS = re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*")
TEXT_SUFFIXES = (".rst", ".md", ".txt")
LARGEST_FILE = 2_000_000


def documentation_text(
    min_chars: int = 0, *, max_chars: int = 6_000_000, packages: Sequence[str] = PACKAGES
) -> list[str]:
    """Collect English prose sentences, each once, in an order that does not depend on the file system.

    Triple-quoted strings of .py files (nothing is imported; parsing them all would take a minute), beside .rst, .md and
    .txt files; packages in the given order, files by name. Only sentences of 6 to 40 words with everyday English words
    and without code stay.

    Args:
        min_chars: How many characters are needed.
        max_chars: How many characters are collected at most.
        packages: Distributions to read, those that are installed.

    Returns:
        The sentences.

    Raises:
        LexigraftError: The installed packages hold less than ``min_chars``.
    """
    collected: dict[str, None] = {}
    size = 0
    for text in _texts(packages):
        for sentence in sentences(text):
            if sentence in collected:
                continue
            if size + len(sentence) > max_chars:
                return list(collected)
            collected[sentence] = None
            size += len(sentence)
    if size < min_chars:
        hint = f"{min_chars} are needed; give text files of your own instead"
        raise LexigraftError("the installed packages' documentation holds too little prose", f"{size} characters", hint)
    return list(collected)


def sentences(text: str) -> Iterator[str]:
    """The prose sentences of a documentation text; headings, code, tables and parameter lists are left out."""
    for block in _blocks(text):
        if block[-1] not in ".!?" and ". " not in block:
            continue
        plain = LITERAL.sub(lambda m: m[1] or m[2], ROLE.sub(r"\1", block)) if "`" in block or "*" in block else block
        yield from (s for s in SENTENCE_END.split(" ".join(plain.split())) if is_prose(s))


def is_prose(sentence: str) -> bool:
    """Whether a sentence reads like English prose: mostly letters, 6 to 40 words, function words, no code."""
    if not (sentence[:1].isupper() and sentence[-1:] in ".!?" and sentence.isascii()) or REFUSED.search(sentence):
        return False
    words = WORDS.findall(sentence)
    letters = sum(map(len, words))
    common = sum(w.lower() in COMMON for w in words)
    return 6 <= len(words) <= 40 and letters >= 0.7 * len(sentence) and common >= 2 and common >= 0.15 * len(words)


def _texts(packages: Sequence[str]) -> Iterator[str]:
    for name in packages:
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        for file in sorted(map(str, distribution.files or ())):
            if file.startswith("..") or not file.endswith((".py", *TEXT_SUFFIXES)) or _is_noise(file):
                continue
            path = Path(str(distribution.locate_file(file)))
            try:
                if path.stat().st_size > LARGEST_FILE:
                    continue
                content = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            yield from (m[2] for m in DOCSTRING.finditer(content)) if file.endswith(".py") else (content,)


def _is_noise(file: str) -> bool:
    lowered = file.lower()
    return any(
        part in lowered for part in ("/tests/", "/test/", "_vendor", "license", "top_level", "record", "entry_points")
    )


def _blocks(text: str) -> Iterator[str]:
    """Runs of lines with the same indentation, joined; blank lines, prompts and directives end a run."""
    run: list[str] = []
    depth = -1
    for line in text.expandtabs().splitlines():
        plain = line.strip()
        indent = len(line) - len(line.lstrip())
        if not plain or indent != depth or plain.startswith(MARKS):
            if run:
                yield " ".join(run)
            run, depth = [], indent
        if plain and not plain.startswith(MARKS):
            run.append(plain)
    if run:
        yield " ".join(run)

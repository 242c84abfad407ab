"""Documentation that is generated from the strategies themselves; run as a program it brings the README up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from lexigraft.api.listing import strategies
from lexigraft.core.atomic import replacing
from lexigraft.core.errors import LexigraftError

START, END = "<!-- strategies -->", "<!-- /strategies -->"


def strategy_table() -> str:
    """Every working strategy as a Markdown table: name, needs, body, summary, source."""
    lines = ["| strategy | needs | body | what it does | source |", "|---|---|---|---|---|"]
    for found in strategies():
        if "broken" not in found:
            needs = ", ".join(found["needs"]).replace("_", " ") or "nothing"
            cells = (f"`{found['name']}`", needs, found["body"], found["summary"], found["source"])
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines)


def with_table(text: str, where: str | Path) -> str:
    """A document with the table between its markers.

    Args:
        text: The document.
        where: Its name, for the message.

    Returns:
        The document as it should be.

    Raises:
        LexigraftError: The markers are missing or in the wrong order.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise LexigraftError("document has no place for the strategy table", where, f"Write {START} and {END} into it")
    return f"{before}{START}\n{strategy_table()}\n{END}{after}"


def rewrite(path: Path) -> bool:
    """Bring a document's strategy table up to date.

    Args:
        path: The document.

    Returns:
        Whether anything changed.

    Raises:
        LexigraftError: No such document, or no markers in it.
    """
    if not path.is_file():
        raise LexigraftError("document not found", path, "Run this in the repository's root, or name the document")
    old = path.read_text(encoding="utf-8")
    new = with_table(old, path)
    if new != old:
        with replacing(path) as temporary:
            temporary.write_text(new, encoding="utf-8")
    return new != old


def main(arguments: list[str]) -> int:
    """Rewrite the named document, or ``README.md``; returns the exit code."""
    path = Path(arguments[0] if arguments else "README.md")
    try:
        changed = rewrite(path)
    except LexigraftError as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 2
    print(f"{path} {'rewritten' if changed else 'is up to date'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

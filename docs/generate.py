"""Documents generated from the plug-ins themselves; run as a program it brings them up to date."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lexigraft.api.plugins.augmenters import AugmenterRecord
from lexigraft.api.plugins.catalog import list_plugins, plugin_details
from lexigraft.api.plugins.evaluators import EvaluatorRecord, by_data
from lexigraft.api.plugins.objectives import ObjectiveRecord, by_use
from lexigraft.api.plugins.records import FieldRecord, PluginDetails, ReaderRecord, Record
from lexigraft.api.plugins.strategies import StrategyRecord, by_needs
from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.files import replacing

START, END = "<!-- generated -->", "<!-- /generated -->"
README, STRATEGIES, OBJECTIVES, EVALUATORS, AUGMENTERS = (
    Path("README.md"),
    Path("docs/reference/strategies.md"),
    Path("docs/reference/objectives.md"),
    Path("docs/reference/evaluators.md"),
    Path("docs/reference/augmenters.md"),
)


def strategy_table() -> str:
    """Every working strategy as Markdown tables, one for each kind of thing that strategies need."""
    parts = []
    for heading, group in by_needs(_working(StrategyRecord)).items():
        rows = [f"| {_names(one)} | {_cell(one.summary)} |" for one in group]
        parts.append(
            "\n".join([f"**{heading[0].upper()}{heading[1:]}**\n", "| strategy | what it does |", "|---|---|", *rows])
        )
    return "\n\n".join(parts)


def strategy_reference() -> str:
    """Every working strategy in full: its record and its fields, in the order of the table."""
    return _pages(StrategyRecord, by_needs(_working(StrategyRecord)), _page)


def evaluator_reference() -> str:
    """Every working evaluator in full: its files, the kinds of models it measures, its record and its options."""
    return _pages(EvaluatorRecord, by_data(_working(EvaluatorRecord)), _evaluator_page)


def _evaluator_page(found: PluginDetails[EvaluatorRecord]) -> str:
    one = found.summary
    better = "lower" if one.lower_is_better else "higher"
    facts = f"*Models: {', '.join(one.kinds)}; {better} is better{'; also of held-out text' if one.text else ''}.*"
    return _reader_page(found, facts)


def objective_reference() -> str:
    """Every working objective in full: its files, the kinds of models it trains, its record and its options."""
    return _pages(ObjectiveRecord, by_use(_working(ObjectiveRecord)), _objective_page)


def _objective_page(found: PluginDetails[ObjectiveRecord]) -> str:
    one = found.summary
    text = "; on annotated text" if one.annotated else "; lays out the training text itself" if one.lays_out else ""
    return _reader_page(found, f"*Models: {', '.join(one.kinds)}{text}.*")


def _reader_page(found: PluginDetails[Any], facts: str) -> str:
    one: ReaderRecord = found.summary
    rows = [
        f"| `{name}` | {_cell(file.holds)} | {'yes' if file.required else 'no'} |" for name, file in one.files.items()
    ]
    files = ["| file | what it holds | required |", "|---|---|---|", *rows] if rows else ["No files."]
    text, options = _described(found)
    return "\n\n".join([f"## {one.name}", facts, text, *_presets(one.name, one.aliases), "\n".join(files), options])


def augmenter_reference() -> str:
    """Every working augmenter in full: its record and its options."""
    return _pages(AugmenterRecord, {"": _working(AugmenterRecord)}, _augmenter_page)


def _augmenter_page(found: PluginDetails[AugmenterRecord]) -> str:
    one = found.summary
    facts = f"*Changes text at {one.edits_at}.*"
    return "\n\n".join([f"## {one.name}", facts, *_presets(one.name, one.aliases), *_described(found)])


def _described(found: PluginDetails[Any]) -> tuple[str, str]:
    """The text of a docstring, and its options as a table."""
    summary, _, rest = found.documentation.strip().partition("\nAttributes:\n")
    return summary.strip().replace("\nSource:", "\n**Source:**"), _options(rest, found.fields)


def _options(documented: str, fields: Sequence[FieldRecord]) -> str:
    """The options as a table, with what the docstring's attributes say of each."""
    entries = re.findall(r"^ {4}(\w+): (.+?)(?=^ {4}\w+: |\Z)", documented, re.M | re.S)
    said = {name: " ".join(text.split()) for name, text in entries}
    rows = [f"| `{f.name}` | `{_cell(f.type)}` | `{f.default}` | {_cell(said.get(f.name, ''))} |" for f in fields]
    return "\n".join(["| option | type | default | |", "|---|---|---|---|", *rows]) if rows else "No options."


def _working(record: type[Record]) -> list[Record]:
    return [one for one in list_plugins(record) if one.broken is None]


def _pages(
    record: type[Record], groups: Mapping[str, Sequence[Record]], page: Callable[[PluginDetails[Record]], str]
) -> str:
    """The page of every plug-in of some groups."""
    return "\n\n".join(page(plugin_details(record, one.name)) for group in groups.values() for one in group)


def _names(one: StrategyRecord) -> str:
    also = "".join(f", `{alias}`" for alias in one.aliases)
    return f"`{one.name}`{also}"


def _page(found: PluginDetails[StrategyRecord]) -> str:
    one = found.summary
    rows = [f"| `{f.name}` | `{_cell(f.type)}` | `{f.default}` |" for f in found.fields]
    fields = ["| field | type | default |", "|---|---|---|", *rows] if rows else ["No fields."]
    convex = "; convex" if one.convex else ""
    facts = f"*Needs: {', '.join(one.needs).replace('_', ' ') or 'nothing'}; {one.body} body{convex}.*"
    text = found.documentation.strip().replace("\nSource:", "\n**Source:**").replace("\nNeeds:", "\n\n**Needs:**")
    text = text.replace("\nRelations:", "\n\n**Relations:**")
    return "\n\n".join([f"## {one.name}", facts, text, *_presets(one.name, one.aliases), "\n".join(fields)])


def _presets(name: str, aliases: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [f"`{alias}` stands for `{name}`{_with(preset)}" for alias, preset in aliases.items()]


def _with(preset: Mapping[str, Any]) -> str:
    return (" with " + ", ".join(f"`{key}: {value}`" for key, value in preset.items()) if preset else "") + "."


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def filled(text: str, content: str, where: str | Path) -> str:
    """A document with the generated part between its markers.

    Args:
        text: The document.
        content: The generated part.
        where: Its name, for the message.

    Returns:
        The document as it should be.

    Raises:
        LexigraftError: The markers are missing or in the wrong order.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise LexigraftError("document has no place for the generated part", where, f"Write {START} and {END} into it")
    return f"{before}{START}\n{content}\n{END}{after}"


def rewrite(path: Path, content: str) -> bool:
    """Bring a document's generated part up to date.

    Args:
        path: The document.
        content: What stands between its markers.

    Returns:
        Whether anything changed.

    Raises:
        LexigraftError: No such document, or no markers in it.
    """
    if not path.is_file():
        raise LexigraftError("document not found", path, "Run this in the repository's root")
    old = path.read_text(encoding="utf-8")
    new = filled(old, content, path)
    if new != old:
        with replacing(path) as temporary:
            temporary.write_text(new, encoding="utf-8")
    return new != old


GENERATED: Mapping[Path, Callable[[], str]] = {
    README: strategy_table,
    STRATEGIES: strategy_reference,
    OBJECTIVES: objective_reference,
    EVALUATORS: evaluator_reference,
    AUGMENTERS: augmenter_reference,
}
"""The documents with a generated part, from the repository's root."""


def main() -> int:
    """Rewrite every generated part; returns the exit code."""
    try:
        for path, content in GENERATED.items():
            print(f"{path} {'rewritten' if rewrite(path, content()) else 'is up to date'}")
    except LexigraftError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

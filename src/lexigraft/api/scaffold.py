"""Template for a new strategy's file: complete, working, ready to edit."""

from __future__ import annotations

import keyword
from pathlib import Path

from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import by_any_name
from lexigraft.core.utils.files import replacing

_TEMPLATE = '''"""{title}: new rows as means of a token's pieces, longer pieces counting more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lexigraft.strategies import InitContext, Mix, Plan, Strategy


@dataclass(frozen=True)
class {cls}(Strategy):
    """Each new row is a mean of the source rows of the token's pieces, weighted by the pieces' length in bytes.

    ``w = length ** power``, ``row = sum(w_p E_source[p]) / sum(w_p)``; ``power=0`` is the plain mean. A token that
    nothing spells stays uncovered: the next strategy of a chain, or the fallback, fills it.

    Source: name the paper and section, or say where the idea comes from.
    Needs: nothing.
    Relations: `subword_mean` is the same with power 0.
    """

    name: ClassVar[str] = "{name}"
    convex: ClassVar[bool] = True
    power: float = 1.0

    def plan(self, ctx: InitContext) -> Plan:
        """Say how each row of ``ctx.target_ids`` is made, in that order."""
        return Mix.from_rows(self._row(ctx, i) for i in ctx.target_ids.tolist())

    def _row(self, ctx: InitContext, i: int) -> tuple[list[int], list[float]]:
        token, pieces_of = ctx.target.surfaces, ctx.source.surfaces
        pieces = ctx.source.pieces(token.texts[i], bool(token.starts[i]))
        weights = [max(1, len(pieces_of.texts[piece])) ** self.power for piece in pieces]
        return pieces, [weight / sum(weights) for weight in weights]
'''


def new_strategy(name: str, folder: Path) -> Path:
    """Write a strategy that keeps the whole contract, as a start.

    Args:
        name: Its name: a lower-case identifier that no strategy has yet.
        folder: The plug-in folder (what ``LEXIGRAFT_PLUGINS`` names); the file goes to ``strategies/NAME.py`` in it.

    Returns:
        The file.

    Raises:
        LexigraftError: A name that cannot be one or is taken, a file that exists, or a folder that cannot be written.
    """
    if not (name.isidentifier() and name.isascii() and name == name.lower()) or keyword.iskeyword(name):
        raise LexigraftError(
            "this cannot be a strategy's name", name, "Use lower-case letters, digits and _, as in my_method"
        )
    if name.startswith("_"):
        raise LexigraftError("a strategy's name cannot begin with _", name, "Files that begin with _ are not read")
    if (taken := by_any_name("strategy").get(name)) is not None:
        raise LexigraftError("a strategy has this name already", name, f"See {taken.file}; choose another name")
    path = folder / "strategies" / f"{name}.py"
    if path.exists():
        raise LexigraftError("file exists", path, "Choose another name or folder")
    words = name.split("_")
    text = _TEMPLATE.format(name=name, title=" ".join(words).strip().capitalize(), cls=_class_name(words))
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _class_name(words: list[str]) -> str:
    camel = "".join(word.capitalize() for word in words)
    return camel if camel != "Strategy" else "NewStrategy"

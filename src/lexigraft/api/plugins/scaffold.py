"""Files of new plug-ins, which keep the whole contract."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from lexigraft.api.plugins.templates import AUGMENTER, EVALUATOR, OBJECTIVE, STRATEGY
from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import KINDS, by_any_name, with_article
from lexigraft.core.utils.files import replacing


def new_plugin(kind: str, name: str, folder: Path) -> Path:
    """Write a plug-in that keeps the whole contract, as a start.

    Args:
        kind: ``strategy``, ``objective``, ``evaluator`` or ``augmenter``.
        name: Its name: a lower-case identifier that no plug-in of the kind has yet.
        folder: The plug-in folder (what ``LEXIGRAFT_PLUGINS`` names); the file goes to ``strategies/NAME.py``
            in it, or likewise for the other kinds.

    Returns:
        The file.

    Raises:
        LexigraftError: A name that cannot be one or is taken, a file that exists, or a folder that cannot be written.
    """
    whose = f"{with_article(kind)}'s name"
    if not (name.isidentifier() and name.isascii() and name == name.lower()) or keyword.iskeyword(name):
        raise LexigraftError(f"this cannot be {whose}", name, "Use lower-case letters, digits and _, as in my_method")
    if name.startswith("_"):
        raise LexigraftError(f"{whose} cannot begin with _", name, "Files that begin with _ are not read")
    if (taken := by_any_name(kind).get(name)) is not None:
        raise LexigraftError(f"{with_article(kind)} has this name already", name, f"See {taken.file}; choose another")
    path = folder / KINDS[kind].folder / f"{name}.py"
    if path.exists():
        raise LexigraftError("file exists", path, "Choose another name or folder")
    words = name.split("_")
    templates = {"strategy": STRATEGY, "objective": OBJECTIVE, "evaluator": EVALUATOR, "augmenter": AUGMENTER}
    template = templates[kind]
    title = " ".join(words).strip().capitalize()
    text = template.format(name=name, title=title, cls=_class_name(words, template))
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _class_name(words: list[str], template: str) -> str:
    """The name in camel case, unless the template has a class of this name already."""
    camel = "".join(word.capitalize() for word in words)
    return f"New{camel}" if re.search(rf"\b{camel}\b", template) else camel

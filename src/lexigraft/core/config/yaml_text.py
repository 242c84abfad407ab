"""YAML text of users, read with bounds on its size."""

from __future__ import annotations

from typing import Any

import yaml

from lexigraft.core.errors import LexigraftError
from lexigraft.core.utils.secrets import masked_uris

MOST_CHARACTERS = 2**22
"""Longest text that is read; a recipe has a few thousand characters."""
MOST_VALUES = 100_000
"""Most values, where an alias counts as all that it stands for."""

_YAML_ERRORS = (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError, OverflowError)
"""What PyYAML raises for text that is not YAML and for scalars that are not what their tag says."""


def read_yaml(text: str, where: object) -> Any:
    """The value of a YAML document.

    Args:
        text: The document.
        where: What is read, for messages.

    Raises:
        LexigraftError: The text is not YAML, is too long or nested too deep, or holds more values than anyone writes.
    """
    if len(text) > MOST_CHARACTERS:
        raise LexigraftError("YAML is too long", where, f"At most {MOST_CHARACTERS:,} characters are read")
    loader = yaml.SafeLoader("")
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        if _values(node, {}) > MOST_VALUES:
            raise LexigraftError("YAML holds too many values", where, f"At most {MOST_VALUES:,}; aliases count in full")
        return loader.construct_document(node)
    except RecursionError:
        raise LexigraftError("YAML is nested too deep", where, "Write fewer levels") from None
    except _YAML_ERRORS as error:
        reason = masked_uris(" ".join(str(error).split())[:300])
        raise LexigraftError("text is not readable YAML", where, reason) from None
    finally:
        loader.dispose()


def _values(node: yaml.Node, counted: dict[int, int | None]) -> int:
    """Values under a node, aliases counted as often as they stand; ``counted`` holds ``None`` for a node in work."""
    key = id(node)
    if key not in counted:
        counted[key] = None
        children = node.value if isinstance(node, yaml.CollectionNode) else []
        if isinstance(node, yaml.MappingNode):
            children = [part for pair in node.value for part in pair]
        counted[key] = 1 + sum(_values(child, counted) for child in children)
    if (count := counted[key]) is None:
        raise ValueError("an alias stands for a value that contains it")
    return count

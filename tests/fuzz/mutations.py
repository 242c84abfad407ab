"""Damage to files: bytes flipped, cut, moved and repeated, and values of JSON exchanged for hostile ones."""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

Step = tuple[str, int, int]
"""What is done, and two numbers that say where and with what."""

HOSTILE: tuple[Any, ...] = (
    None, True, -1, 0, 1, 0.5, 255, 2**16, 10**8, 2**31, 2**32 - 1, 2**32, 2**63, 2**64, 10**30, -(2**63), 1e308,
    float("nan"), float("inf"), "", " ", "a", "\0", "\ud800", "▁", "../x", "/dev/zero", "(a+)+$", "(", "9" * 5000,
    "a" * 70_000, [], [[]], {}, {"a": None}, [0] * 1000, ["a", 1],
)  # fmt: skip
PIECES = (
    b"\0", b"\xff", b"\n", b"\r", b"\r\n", b"\t", b" ", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff", b"\0\0\0\x80", b"{", b"}", b"[" * 2000, b'"', b"&a [*a]", b": ", b"- ",
    b"99999999999999999999", b"-1", b"1e999", b"nan",
    b"version https://git-lfs.github.com/spec/v1\n", b"\xf0\x9f\x98\x80",
)  # fmt: skip

STEPS = st.lists(
    st.tuples(st.sampled_from(sorted(("byte", "cut", "drop", "repeat", "insert", "number", "json", "json", "unkey"))),
              st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    min_size=1, max_size=4,
)  # fmt: skip


def damaged(content: bytes, steps: Sequence[Step], name: str) -> bytes:
    """A file's content after some damage; a compressed file is damaged inside, too.

    Args:
        content: What is in the file.
        steps: The damage.
        name: The file's name.
    """
    packed = name.endswith(".gz") and steps[0][1] % 2
    content = gzip.decompress(content) if packed else content
    for kind, where, what in steps:
        content = _DAMAGE[kind](content, where, what)
    return gzip.compress(content, mtime=0) if packed else content


def _place(content: bytes, where: int) -> int:
    """Half of the places are near the beginning, where headers are."""
    return (where >> 1) % (min(200, len(content)) + 1 if where & 1 else len(content) + 1)


def _byte(content: bytes, where: int, what: int) -> bytes:
    i = _place(content, where)
    return content[:i] + bytes([what & 255]) + content[i + 1 :]


def _number(content: bytes, where: int, what: int) -> bytes:
    """A number of 4 or 8 bytes, as binary headers hold them."""
    i = _place(content, where)
    width = 4 if what & 1 else 8
    values = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
    value = values[(what >> 1) % len(values)] % 256**width
    return content[:i] + value.to_bytes(width, "little") + content[i + width :]


def _drop(content: bytes, where: int, what: int) -> bytes:
    i = _place(content, where)
    return content[:i] + content[i + what % 64 :]


def _repeat(content: bytes, where: int, what: int) -> bytes:
    i = _place(content, where)
    return content[:i] + content[i : i + what % 256] * (1 + what % 5) + content[i:]


def _json(content: bytes, where: int, what: int) -> bytes:
    return _edited(
        content, where, lambda owner, key: owner.__setitem__(key, copy.deepcopy(HOSTILE[what % len(HOSTILE)]))
    )


def _unkey(content: bytes, where: int, what: int) -> bytes:
    return _edited(content, where, lambda owner, key: owner.__delitem__(key))


def _edited(content: bytes, where: int, edit: Callable[[Any, Any], None]) -> bytes:
    """A value of a JSON document edited, or of its first line, or of the header of a safetensors file."""
    start, end = 0, len(content)
    if content[8:9] == b"{":
        start, end = 8, 8 + int.from_bytes(content[:8], "little")
    elif content[:1] == b"{" and content[1:2] == b'"' and b"}\n{" in content:
        end = content.index(b"\n")
    try:
        document = json.loads(content[start:end])
    except (ValueError, RecursionError):
        return _byte(content, where, where >> 8)
    places = list(_places(document))
    if places:
        edit(*places[where % len(places)])
    new = json.dumps(document).encode()
    head = len(new).to_bytes(8, "little") if start else b""
    return head + new + content[end:]


def _places(value: Any, deep: int = 0) -> Iterator[tuple[Any, Any]]:
    """Each container with each of its keys; of long containers the first ones and the last."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    for key in keys if len(keys) < 40 or deep < 1 else [*keys[:12], keys[-1]]:
        yield value, key
        yield from _places(value[key], deep + 1)


_DAMAGE: dict[str, Callable[[bytes, int, int], bytes]] = {
    "byte": _byte,
    "cut": lambda content, where, what: content[: _place(content, where)],
    "drop": _drop,
    "repeat": _repeat,
    "insert": lambda c, where, what: c[: (i := _place(c, where))] + PIECES[what % len(PIECES)] + c[i:],
    "number": _number,
    "json": _json,
    "unkey": _unkey,
}

"""Temperature sampling of corpora."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lexigraft.core.data.corpus import Corpus
from lexigraft.core.errors import LexigraftError


def mixed(corpora: Sequence[Corpus], temperature: float) -> tuple[Corpus, list[float]]:
    """One text of several corpora, with shares in proportion to ``characters ** (1 / temperature)``.

    The largest corpus stays as it is; another one is repeated ``(largest / its characters) ** (1 - 1 / temperature)``
    times (Khanuja et al. 2021), where a fraction of a repetition is lines chosen evenly. At temperature 1 every line
    comes once, and towards infinity all corpora get the same share.

    Args:
        corpora: The corpora, none empty.
        temperature: At least 1.

    Returns:
        The text, corpus after corpus, and the share of each in its characters.

    Raises:
        LexigraftError: The temperature is below 1.
    """
    if temperature < 1:
        raise LexigraftError("the sampling temperature is below 1", temperature, "1 takes every line once; 5 is common")
    sizes = [sum(map(len, corpus.lines)) for corpus in corpora]
    taken = [0] * len(corpora)

    def lines() -> Iterator[str]:
        for n, (corpus, size) in enumerate(zip(corpora, sizes, strict=True)):
            times = (max(sizes) / size) ** (1 - 1 / temperature)
            for line in _repeated(corpus.lines, round(times * len(corpus))):
                taken[n] += len(line)
                yield line

    origin = [path for corpus in corpora for path in corpus.origin]
    text = Corpus.of(lines(), origin)
    return text, [characters / sum(taken) for characters in taken]


def _repeated(lines: Sequence[str], number: int) -> Iterator[str]:
    """So many lines: all of them as often as they fit in, then some that are chosen evenly."""
    times, rest = divmod(number, len(lines))
    for _ in range(times):
        yield from lines
    yield from (lines[n * len(lines) // rest] for n in range(rest))

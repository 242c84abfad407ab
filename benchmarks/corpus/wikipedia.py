"""A Wikipedia dump to text with anchors, beside wikiextractor 3.1.0; and the memory that it takes by size.

    python benchmarks/corpus/wikipedia.py --megabytes 1000

The dump is the real slice of the English Wikipedia (6 MB of XML, 5.7 MB of wikitext) again and again, compressed.
Both sides read the same file of `--peer-megabytes` with the same number of processes; wikiextractor keeps links and
expands no templates, as in LEIA's instructions. Then ours alone reads `--megabytes`, and a hundredth of it, to show
that memory stays.
"""

from __future__ import annotations

import bz2
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("benchmarks", "tests"))
from measure import asked, fresh, machine, row, seconds
from parity.environments import WIKIEXTRACTOR, ask
from parity.sentencepiece_pairs import DATA

SLICE = DATA / "wiki/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"


def main() -> int:
    """Print a Markdown table of both sides, then one of ours by size."""
    given = asked(__doc__, megabytes=100, peer_megabytes=24, processes=2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        request = {"folder": name, "processes": given.processes}
        print(f"{machine()}; {given.processes} processes; one run\n")
        both = request | {"dump": write_dump(folder / "peer.xml.bz2", given.peer_megabytes)}
        ours = fresh(Path(__file__), both)
        theirs = ask(WIKIEXTRACTOR, Path(__file__).with_name("wikipedia_peer.py"), both)
        size = ours["megabytes"]
        print("| a dump to text with links | Lexigraft | wikiextractor 3.1.0 | ratio |\n|---|---|---|---|")
        print(row(f"{size:,.0f} MB of XML", ours["seconds"], theirs["seconds"], "s"))
        print(f"\nOurs: {size / ours['seconds']:.1f} MB of XML a second.\n")
        print(
            "| XML | time | MB a second | peak of the main process | peak of a reading process |\n|--:|--:|--:|--:|--:|"
        )
        for megabytes in (max(6, given.megabytes // 100), given.megabytes):
            alone = fresh(Path(__file__), request | {"dump": write_dump(folder / "large.xml.bz2", megabytes)})
            speed = alone["megabytes"] / alone["seconds"]
            peaks = f"{alone['main_bytes'] / 1e6:.0f} MB | {alone['worker_bytes'] / 1e6:.0f} MB"
            print(f"| {alone['megabytes']:,.0f} MB | {alone['seconds']:.0f} s | {speed:.1f} | {peaks} |", flush=True)
    return 0


def write_dump(path: Path, megabytes: int) -> str:
    """The slice as often as makes so many megabytes of XML; each time is a bzip2 stream of its own."""
    part = SLICE.read_bytes()
    times = max(1, round(megabytes * 1e6 / len(bz2.decompress(part))))
    with path.open("wb") as file:
        for _ in range(times):
            file.write(part)
    return str(path)


def measured(request: dict[str, Any]) -> dict[str, float]:
    """Seconds from the dump to the folder, and the peak resident size of the main and of a reading process."""
    import resource

    from lexigraft.api.corpus.wikipedia import wikipedia_corpus
    from lexigraft.core.utils.memory import peak_rss_bytes

    path = Path(request["dump"])
    out = Path(request["folder"]) / path.name.split(".")[0]

    def work() -> None:
        wikipedia_corpus([path], out, language="en", processes=request["processes"], force=True)

    taken = seconds(work)
    size = len(bz2.decompress(SLICE.read_bytes())) * (path.stat().st_size // SLICE.stat().st_size) / 1e6
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return {"seconds": taken, "megabytes": size, "main_bytes": peak_rss_bytes(), "worker_bytes": workers}


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        print(json.dumps(measured(json.loads(sys.argv[1]))))
    else:
        sys.exit(main())

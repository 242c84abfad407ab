"""The folder that is made of a dump: the same whatever the processes, ends and forms of the input."""

from __future__ import annotations

import bz2
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from fixtures.wikipedia import dump, items, page, tables
from lexigraft.api.corpus import wikipedia_run
from lexigraft.api.corpus.wikipedia import WikipediaCorpus, wikipedia_corpus
from lexigraft.core.data.annotated_text import Anchor, AnnotatedText, read_annotated
from lexigraft.core.data.corpus import load_corpus
from lexigraft.core.data.wikipedia import workers
from lexigraft.core.errors import LexigraftError

ENTITIES = {"Lima": ("Q2868", {"en": "Lima"}), "Perú": ("Q419", {"en": "Peru"})}
PAGES = [
    page("Lima", "'''Lima''' [[perú]]pa uma llaqtanmi, [[Ciudad de los Reyes]].", number=1),
    page("Ciudad de los Reyes", "#REDIRECT [[Lima]]", redirect="Lima", number=2),
    page("A", "#REDIRECT [[B]]", redirect="B", number=3),
    page("B", "#REDIRECT [[A]]", redirect="A", number=4),
    page("Qusqu", "[[A|Qusqu]]qa [[Wayna Pikchu]]\tllaqta.\n\n[[Katiguriya:Llaqta]]", number=5),
    page("Katiguriya:Llaqta", "Llaqtakuna", namespace=14, number=6),
    page("Ch'usaq", "{{x}}", number=7),
    page("Q'iwi", "text", number=8).replace("</text>", ""),
    page("Módulo", "return 1", number=9).replace(">wikitext<", ">Scribunto<"),
]
WANTED = [
    AnnotatedText(
        "Lima perúpa uma llaqtanmi, Ciudad de los Reyes.",
        "Lima",
        (Anchor(5, 11, "Perú", "Q419", {"en": "Peru"}), Anchor(27, 46, "Lima", "Q2868", {"en": "Lima"})),
    ),
    # The link that leads in a circle is text alone; that to a page without an entity has its title.
    AnnotatedText("Qusquqa Wayna Pikchu llaqta.", "Qusqu", (Anchor(8, 20, "Wayna Pikchu"),)),
]


def make(
    folder: Path, content: bytes = dump(*PAGES), entities: bytes | None = items(ENTITIES), **options: Any
) -> WikipediaCorpus:
    (folder / "d.xml").write_bytes(content)
    if entities is not None:
        (folder / "items.json").write_bytes(entities)
        options = {"entities": [folder / "items.json"]} | options
    return wikipedia_corpus([folder / "d.xml"], folder / "out", **({"language": "qu", "processes": 1} | options))


def left(folder: Path) -> list[str]:
    """What lies beside the input."""
    return sorted(p.name for p in folder.iterdir() if p.name not in ("d.xml", "items.json"))


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_articles_become_annotated_text(tmp_path: Path, form: str) -> None:
    made = make(tmp_path, format=form)
    assert list(read_annotated(tmp_path / "out")) == WANTED
    assert made.counts == {
        "articles": 2, "redirects": 3, "other_namespaces": 1, "empty": 1, "broken": 1, "no_wikitext": 1,
        "anchors": 3, "named_anchors": 2, "circular_anchors": 1, "characters": 47 + 28,
        "known_redirects": 3, "known_entities": 2,
    }  # fmt: skip
    [warning] = made.warnings
    assert warning.startswith('pages left out, since they cannot be read: 1; the first: "Q\'iwi": mismatched tag')
    assert left(tmp_path) == ["out"]
    assert load_corpus([tmp_path / "out"]).lines[0] == WANTED[0].text, "any command reads the folder as text"


def test_sql_dumps_give_the_same_anchors(tmp_path: Path) -> None:
    for name, content in tables(ENTITIES).items():
        (tmp_path / f"{name}.sql").write_bytes(content)
    (tmp_path / "d.xml").write_bytes(dump(*PAGES))
    paths = [tmp_path / f"{name}.sql" for name in ("langlinks", "page_props", "page")]
    wikipedia_corpus([tmp_path / "d.xml"], tmp_path / "out", language="qu", entities=paths, processes=1)
    assert list(read_annotated(tmp_path / "out")) == WANTED


def test_a_cut_off_dump_keeps_what_was_read(tmp_path: Path) -> None:
    many = [page(f"T{n}", f"[[Lima]] {n} {hash(str(n))}" * 90, number=n) for n in range(300)]
    whole = bz2.compress(dump(*PAGES[:1], *many), 1)
    made = make(tmp_path, whole[: len(whole) // 2])
    assert 1 < made.counts["articles"] < 301
    damage = next(one for one in made.warnings if "damaged or cut off near byte" in one)
    assert damage.endswith(f"kept are the pages up to 'T{made.counts['articles'] - 2}'")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"language": "sw"}, "of another wiki.*quwiki, --lang sw.*give --lang qu"),
        ({"entities": items(ENTITIES, "swwiki")}, "know no article of quwiki"),
        ({"entities": items({"Urqu": ("Q8502", {"en": "mountain"})})}, "name no anchor: anchors: Perú, Lima.*: Urqu"),
        ({"entities": items(ENTITIES), "names": ["xx"]}, "name no anchor"),
        ({"content": dump(PAGES[1], PAGES[6])}, "no article with text.*redirects 1.*empty 1"),
        ({"format": "csv"}, "unknown format: csv"),
        ({"content": b"no dump"}, "no XML dump"),
    ],
)
def test_bad_input_is_one_error_and_leaves_nothing(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(LexigraftError, match=message):
        make(tmp_path, **options)
    assert left(tmp_path) == []


def test_a_folder_that_exists_is_replaced_only_by_force(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(LexigraftError, match="output folder exists"):
        make(tmp_path)
    make(tmp_path, force=True, format="parquet")
    assert left(tmp_path / "out") == ["lexigraft.json", "part-00000.parquet"]


TANGLE = "{{a|" * 20_000
"""mwparserfromhell takes the square of its length for it: a fifth of a second for 900 times, minutes for this."""


def test_a_page_that_takes_for_ever_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = workers.WorkerSettings

    def hurried(*arguments: Any) -> workers.WorkerSettings:
        return settings(*arguments, page_seconds=0.3)

    monkeypatch.setattr(wikipedia_run, "WorkerSettings", hurried)
    made = make(tmp_path, dump(PAGES[0], page("Tangled", TANGLE), *PAGES[1:]))
    assert list(read_annotated(tmp_path / "out")) == WANTED
    assert made.counts["unreadable"] == 1
    assert "'Tangled': ended its process, or took more than 0.3 s" in made.warnings[0]


KILLED = """
import sys
from lexigraft.api.corpus import wikipedia_run
from lexigraft.api.corpus.wikipedia import wikipedia_corpus
wikipedia_run.BATCH_BYTES, wikipedia_run.PART_BYTES = 20_000, 60_000
if __name__ == "__main__":
    wikipedia_corpus([sys.argv[1]], sys.argv[2], language="qu", processes=int(sys.argv[3]))
"""


def test_a_killed_run_goes_on_without_losing_or_doubling_a_page(tmp_path: Path) -> None:
    """Pages of 2 KB: 800 of them are some 27 parts; the run is killed when a few are there, twice."""
    many = [page(f"T{n}", f"[[Lima]] {n} " + "wasi " * 300, number=n) for n in range(800)]
    (tmp_path / "d.xml").write_bytes(dump(*many))
    (tmp_path / "run.py").write_text(KILLED)
    draft = tmp_path / ".out.unfinished"
    seen: list[int] = []
    for _ in range(2):
        child = _started(tmp_path, "out", 2)
        _wait(lambda: len(_parts(draft)) > (seen[-1] if seen else 0) + 3, child)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        seen.append(len(_parts(draft)))
        assert not (tmp_path / "out").exists()
    kept = {path: path.stat().st_mtime_ns for path in _parts(draft)}
    assert _started(tmp_path, "out", 1).wait() == 0
    assert _started(tmp_path, "whole", 1).wait() == 0
    titles = [document.title for document in read_annotated(tmp_path / "out")]
    assert titles == [f"T{n}" for n in range(800)]
    for path in sorted((tmp_path / "whole").iterdir()):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes(), path.name
    finished = {path.name: time_ for path, time_ in kept.items()}
    same = [name for name, time_ in finished.items() if (tmp_path / "out" / name).stat().st_mtime_ns == time_]
    assert len(same) >= len(finished) - 1, "finished parts are not made again"


def _parts(folder: Path) -> Sequence[Path]:
    return sorted(folder.glob("part-*.jsonl.gz")) if folder.exists() else []


def _started(folder: Path, out: str, processes: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "run.py", "d.xml", out, str(processes)]
    paths = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": paths})


def _wait(condition: Callable[[], bool], child: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert child.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < end
        time.sleep(0.005)

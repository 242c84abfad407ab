"""Damaged facts and provenance of a grafted folder: one error that names the file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lexigraft.api.explain import explain
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.folder import FACTS, PROVENANCE, new_rows
from lexigraft.core.grafting.pipeline import make_chain, prepare_graft
from lexigraft.core.grafting.writer import write_graft
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_models import fixture


@pytest.fixture(scope="module")
def grafted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graft")
    model, tokenizer, target = fixture("roberta-tied-bias")
    model.save_pretrained(folder / "source")
    tokenizer.save_pretrained(folder / "source")
    chain = make_chain([("subword_mean", {})])
    write_graft(prepare_graft(str(folder / "source"), Vocabulary.of(target), chain, {}), folder / "out")
    return folder / "out"


def edited(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        pq.write_table(change(pq.read_table(folder / PROVENANCE)), folder / PROVENANCE)

    return damage


def column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "provenance is no parquet": (lambda p: (p / PROVENANCE).write_bytes(b"PAR1 not really"), "provenance is damaged"),
    "provenance is cut": (lambda p: (p / PROVENANCE).write_bytes((p / PROVENANCE).read_bytes()[:-60]), "damaged"),
    "a column is missing": (edited(lambda t: t.drop_columns(["rule"])), "lacks columns.*rule"),
    "rows are missing": (edited(lambda t: t.slice(0, 5)), "do not fit together"),
    "rows are in another order": (edited(lambda t: t.take(list(range(len(t)))[::-1])), "damaged"),
    "no sources": (edited(lambda t: column(t, "source_ids", pa.nulls(len(t)))), "damaged"),
    "sources are numbers": (edited(lambda t: column(t, "weights", pa.array(range(len(t))))), "damaged"),
    "a source is missing": (
        edited(lambda t: column(t, "source_ids", pa.array([[None] for _ in t["weights"]], pa.list_(pa.int32())))),
        "damaged",
    ),
    "a weight is text": (edited(lambda t: column(t, "weights", pa.array([["1"] for _ in t["weights"]]))), "damaged"),
    "rules are missing": (edited(lambda t: column(t, "rule", pa.nulls(len(t)))), "damaged"),
    "facts are missing": (lambda p: (p / FACTS).unlink(), "facts cannot be read"),
    "facts are no JSON": (lambda p: (p / FACTS).write_text("{"), "facts are damaged"),
    "facts are no text": (lambda p: (p / FACTS).write_bytes(b"\xff\xfe"), "facts are damaged"),
    "facts are deep": (lambda p: (p / FACTS).write_text("[" * 100_000), "facts are damaged"),
    "facts are a list": (lambda p: (p / FACTS).write_text("[]"), "facts are damaged"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_one_error(kind: str, grafted: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(grafted, tmp_path / "out"))
    token = Vocabulary.of(fixture("roberta-tied-bias")[2]).tokens[20]
    assert explain(folder, token)
    damage, message = DAMAGE[kind]
    damage(folder)
    with pytest.raises(LexigraftError, match=message):
        explain(folder, token)
    if "provenance" in kind:
        with pytest.raises(LexigraftError, match=message):
            new_rows(folder)


@pytest.mark.parametrize(
    "facts", ["{}", '{"source": null}', '{"source": {"model": 3}}', '{"source": {"model": "./x"}}']
)
def test_a_source_that_cannot_be_named_is_shown_by_ids(facts: str, grafted: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(grafted, tmp_path / "out"))
    (folder / FACTS).write_text(facts)
    shown = explain(folder, Vocabulary.of(fixture("roberta-tied-bias")[2]).tokens[20])
    assert all(source.token.startswith("#") for found in shown for source in found.sources)

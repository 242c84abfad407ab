"""One target for each reader of users' files: valid files, and how they are read."""

from __future__ import annotations

import base64
import bz2
import gzip
import json
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fixtures.typology import write_typology
from fixtures.wikipedia import dump, items, page, tables
from lexigraft.adapters.vectors.files import read_vectors
from lexigraft.adapters.vectors.word_vectors import read_words
from lexigraft.api.explain import explain
from lexigraft.core.config.recipe import DictionarySettings, ParallelSettings
from lexigraft.core.config.recipe_files import read_recipe
from lexigraft.core.data.annotated_text import Anchor, AnnotatedText, as_row, read_annotated
from lexigraft.core.data.dictionary import load_dictionary
from lexigraft.core.data.dictionary_formats.reading import read_rows
from lexigraft.core.data.parallel_text import load_parallel
from lexigraft.core.data.readers import read_lines
from lexigraft.core.data.records import read_records
from lexigraft.core.data.squad import read_squad
from lexigraft.core.data.tagged_text import read_tagged
from lexigraft.core.data.typology.database import load_typology
from lexigraft.core.data.wikipedia.clean_text import clean
from lexigraft.core.data.wikipedia.dump import Dump
from lexigraft.core.data.wikipedia.entities import add_entities
from lexigraft.core.data.wikipedia.page import BrokenPage, parse_page
from lexigraft.core.data.wikipedia.site import Site, read_site
from lexigraft.core.data.wikipedia.title_index import new_index
from lexigraft.core.data.wikipedia.wikitext import MarkedText, tokenizer
from lexigraft.core.evaluation.cells.cell import Cell, CellResult, Comparison, Score
from lexigraft.core.evaluation.cells.cell_store import has_damaged_result, load_comparison, load_result, save_result
from lexigraft.core.grafting.folder import FACTS, PROVENANCE, new_rows, read_facts
from lexigraft.core.grafting.pipeline import make_chain, prepare_graft
from lexigraft.core.grafting.writer import write_graft
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.matching.alignment import align
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.transfer.pairs import read_pairs
from lexigraft.testing.sample_text import SAMPLE
from lexigraft.testing.tiny_models import fixture
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer


@dataclass(frozen=True)
class Target:
    """Valid files in a folder, and the reader.

    Attributes:
        files: Their content by name.
        damage: The names of those that are damaged.
        read: Reads the folder; may raise LexigraftError and nothing else.
    """

    files: Mapping[str, bytes]
    damage: tuple[str, ...]
    read: Callable[[Path], object]


LINES = [line for line in SAMPLE["target"].splitlines() if line.strip()][:12]
RECIPE = """\
name: x
source: ./source
target_tokenizer: {type: unigram, size: 300}
corpus: {train: [./a.txt, ./b.txt], heldout_share: 0.2, also_heldout: {other: ./c.txt}, limit_lines: 100}
strategies:
  - random
  - {name: focus, label: FOCUS, temperature: 0.5}
  - chain: [tema, {name: omp}]
seeds: [0, 1]
dictionary: &d {path: ./d.tsv}
poor_model: {preset: roberta-tiny, steps: 3}
graft: {rules: [nfc], memory_budget: 2GB}
adaptation: {steps: 4, body: "top_bottom:2", phases: [{steps: 4, body: lora}], lora_targets: [query]}
evaluation: {options: {bits_per_byte: {stripes: 2}}}
tracking: {uri: "sqlite:///x.db", enabled: false}
"""
CELL = Cell("random", 0, "source", "key-" + "0" * 20, {"lr": 0.1})
RESULT = CellResult(CELL, (Score(0, "bits_per_byte/heldout", 2.5),), ((1, 6.5),), {"new": 3}, {"seconds": 0.5})


def targets(folder: Path) -> dict[str, Target]:
    """All targets by name.

    Args:
        folder: Where valid files may be made.
    """
    return {
        "recipe": _of({"recipe.yaml": RECIPE.encode()}, lambda f: read_recipe(f / "recipe.yaml")),
        **_texts(folder),
        **_labeled(folder),
        **_annotated(),
        **_tokenizers(folder),
        **_vectors(folder),
        **_models(folder),
        **_results(folder),
    }


def _of(files: Mapping[str, bytes], read: Callable[[Path], object], *damage: str) -> Target:
    return Target(files, damage or tuple(files), read)


def _texts(folder: Path) -> dict[str, Target]:
    pq.write_table(pa.table({"id": list(range(12)), "text": LINES}), folder / "t.parquet")
    plain = "\n".join(LINES).encode()
    contents = {
        "t.txt": plain,
        "t.txt.gz": gzip.compress(plain, mtime=0),
        "t.jsonl": b"".join(json.dumps({"text": line, "n": [1, {"a": 2}]}).encode() + b"\n" for line in LINES),
        "t.csv": b"id,text\n" + "".join(f'1,"{line}"\n' for line in LINES).encode(),
        "t.parquet": (folder / "t.parquet").read_bytes(),
    }
    made = {f"text {n}": _of({n: c}, lambda f, n=n: list(read_lines([f / n]))) for n, c in contents.items()}
    pairs = "".join(f"word{n}\twuhd{n}\t{n}\n" for n in range(20)).encode()
    sides = {"s.txt": plain, "t.txt": plain}
    gains = "donor,target,gain,x\n" + "".join(f"d{n},t{n % 3},{n / 7},{n}\n" for n in range(12))
    return made | {
        "pairs": _of({"p.csv": gains.encode()}, lambda f: read_pairs(f / "p.csv")),
        **_typology(folder / "typology"),
        "dictionary": _of({"d.tsv": pairs}, lambda f: load_dictionary(DictionarySettings(path=[str(f / "d.tsv")]))),
        **_dictionary_formats(),
        "gold links": _of({"d.csv": pairs}, lambda f: load_dictionary(DictionarySettings(path=[str(f / "d.csv")]))),
        "parallel text": _of(
            sides, lambda f: load_parallel(ParallelSettings(source=[str(f / "s.txt")], target=[str(f / "t.txt")]))
        ),
    }


def _dictionary_formats() -> dict[str, Target]:
    text = b"".join(b"word%d\n\nwuhd%d, other\n" % (n, n) for n in range(10))
    index = "00databaseutf8\tA\tB\n" + "".join(f"word{n}\t{chr(65 + n)}\tU\n" for n in range(10))
    places = b"".join(b"word%d\0" % n + (20 * n).to_bytes(4, "big") + (20).to_bytes(4, "big") for n in range(10))
    facts = b"StarDict's dict ifo file\nversion=2.4.2\nsametypesequence=m\n"
    star = {"d.ifo": facts, "d.idx": places, "d.dict.dz": gzip.compress(text, mtime=0)}
    return {
        "dictd": _of({"d.index": index.encode(), "d.dict": text}, lambda f: list(read_rows(f / "d.index"))),
        "stardict": _of(star, lambda f: list(read_rows(f / "d.ifo"))),
    }


def _labeled(folder: Path) -> dict[str, Target]:
    """Data of downstream tasks."""
    pq.write_table(pa.table({"label": list(range(12)), "text": LINES}), folder / "r.parquet")
    conllu = "".join(f"# text = {w}\n1\t{w}\t_\tNOUN\t_\t_\t0\troot\t_\t_\n\n" for w in LINES[0].split()).encode()
    asked = {"id": "q", "question": LINES[1], "answers": [{"text": LINES[0], "answer_start": 0}]}
    squad = json.dumps({"data": [{"paragraphs": [{"context": LINES[0], "qas": [asked]}]}]}).encode()
    records = {
        "r.tsv": b"text\tlabel\n" + "".join(f'"{line}"\tx\n' for line in LINES).encode(),
        "r.jsonl": b"".join(json.dumps({"text": line, "label": 1}).encode() + b"\n" for line in LINES),
        "r.parquet": (folder / "r.parquet").read_bytes(),
    }
    return {
        "conllu": _of({"a.conllu": conllu}, lambda f: read_tagged([f / "a.conllu"])),
        "tagged words": _of({"a.tsv": b"wasi\tB-LOC\n\nqam\tO\n"}, lambda f: read_tagged([f / "a.tsv"])),
        "squad": _of({"a.json": squad}, lambda f: read_squad([f / "a.json"])),
        "squad gz": _of({"a.json.gz": gzip.compress(squad, mtime=0)}, lambda f: read_squad([f / "a.json.gz"])),
        **{n: _of({n: c}, lambda f, n=n: list(read_records([f / n], ["text", "label"]))) for n, c in records.items()},
    }


def _annotated() -> dict[str, Target]:
    """Annotated text, dumps of Wikipedia, and the files that entities' names come from."""
    row = as_row(AnnotatedText(LINES[0], "t", (Anchor(0, 3, "x", "Q1", {"en": "y"}),)))
    entities = {"Lima": ("Q2868", {"en": "Lima"}), "Qusqu": ("Q5582862", {"en": "Cusco"})}
    pages = [page("Lima", f"[[Qusqu|a]] {{{{x}}}} {LINES[0]}"), page("A", "#REDIRECT [[Lima]]", redirect="Lima")]
    made = {f"{name}.sql": content for name, content in tables(entities).items()}
    contents = {"d.xml": dump(*pages), "d.xml.bz2": bz2.compress(dump(*pages))}

    def read_dump(path: Path) -> None:
        opened = Dump(path)
        site = read_site(opened.header, path)
        tokenize = tokenizer()
        for xml in opened.pages():
            with suppress(BrokenPage):
                found = parse_page(xml)
                text, spans = clean(MarkedText(found.text, found.title, site, tokenize).text)
                AnnotatedText(text, "", tuple(Anchor(s.start, s.end) for s in spans))

    def read_entities(folder: Path, names: Collection[str]) -> None:
        with new_index(folder / "index") as writer:
            add_entities([folder / name for name in names], Site("quwiki", {}), ["en"], writer)

    return {
        "annotated text": _of({"a.jsonl": json.dumps(row).encode()}, lambda f: list(read_annotated(f / "a.jsonl"))),
        "wikidata": _of({"i.json": items(entities)}, lambda f: read_entities(f, ["i.json"])),
        "sql dumps": _of(made, lambda f: read_entities(f, made)),
        **{f"dump {n}": _of({n: c}, lambda f, n=n: read_dump(f / n)) for n, c in contents.items()},
    }


def _typology(folder: Path) -> dict[str, Target]:
    """Each file of the two databases, in one folder."""
    home = write_typology(folder)

    def use(path: Path) -> None:
        data = load_typology(path)
        for one in data.languages.names:
            data.distances(data.find(one), data.find(one))

    return {
        f"typology {part}": _of({p.name: p.read_bytes() for p in (home / part).iterdir()}, use)
        for part in ("lang2vec", "wals")
    }


def _use(path: Path) -> None:
    """Load a tokenizer and do with it what a graft does."""
    vocabulary = load_vocabulary(path)
    vocabulary.encode([*LINES, "", " a\u00e9\n\n 12"])
    for text in (b"house", b"\xc3\xa9t", b"\xff", b" ", b""):
        vocabulary.pieces(text, True)
        vocabulary.pieces(text, False)
    for i in range(min(vocabulary.size, 50)):
        vocabulary.display(i)
    align(vocabulary, vocabulary)


def _tokenizers(folder: Path) -> dict[str, Target]:
    import sentencepiece

    text = folder / "text.txt"
    text.write_text("\n".join([SAMPLE["source"], SAMPLE["target"]]), encoding="utf-8")
    made: dict[str, Target] = {}
    for family in ("byte_bpe", "wordpiece", "unigram", "bpe_byte_fallback"):
        home = folder / family
        tiny_tokenizer(family).save_pretrained(home)
        files = {p.name: p.read_bytes() for p in home.iterdir() if p.is_file()}
        made[f"tokenizer folder {family}"] = _of(files, _use)
        bare = {"tokenizer.json": files["tokenizer.json"]}
        made[f"tokenizer.json {family}"] = _of(bare, lambda f: _use(f / "tokenizer.json"))
    for kind in ("unigram", "bpe"):
        sentencepiece.SentencePieceTrainer.train(
            input=str(text), model_prefix=str(folder / "m"), vocab_size=500, model_type=kind, minloglevel=2,
            byte_fallback=True, num_threads=1, hard_vocab_limit=False, user_defined_symbols=["<sep>"],
        )  # fmt: skip
        made[f"sentencepiece {kind}"] = _of(
            {"m.model": (folder / "m.model").read_bytes()}, lambda f: _use(f / "m.model")
        )
    tokenizer = tiny_tokenizer("byte_bpe")
    tokenizer.backend_tokenizer.model.save(str(folder))
    pair = {name: (folder / name).read_bytes() for name in ("vocab.json", "merges.txt")}
    made["vocab.json"] = _of(pair, _use)
    made["vocab.txt"] = _of({"vocab.txt": "\n".join(tiny_tokenizer("wordpiece").get_vocab()).encode()}, _use)
    tokens = [bytes([b]) for b in range(256)] + [b"th", b"he", b"the", b" t", b" the"]
    encoded = [base64.b64encode(token) for token in tokens]
    config = json.dumps({"pat_str": r" ?\p{L}+|\s+|.", "added_tokens_decoder": {"300": {"content": "<s>"}}}).encode()
    made["tiktoken"] = _of(
        {"x.tiktoken": b"".join(t + b" %d\n" % n for n, t in enumerate(encoded)), "tokenizer_config.json": config}, _use
    )
    tekken = {
        "config": {"pattern": r" ?\p{L}+|\s+|.", "num_vocab_tokens": 261, "default_vocab_size": 280,
                   "default_num_special_tokens": 20},
        "vocab": [{"rank": n, "token_bytes": t.decode(), "token_str": None} for n, t in enumerate(encoded)],
        "special_tokens": [{"rank": 0, "token_str": "<unk>"}, {"rank": 1, "token_str": "<s>"}],
    }  # fmt: skip
    made["tekken"] = _of({"tekken.json": json.dumps(tekken).encode()}, _use)
    return made


def _vectors(folder: Path) -> dict[str, Target]:
    import fasttext

    words = ["wasi", "maki", "la", "é"]
    np.savez(folder / "v.npz", tokens=np.array(words), vectors=np.eye(4, 3, dtype=np.float32), counts=np.arange(4))
    text = "4 3\n" + "".join(f"{w} {n} 0.5 -1e-3\n" for n, w in enumerate(words))
    options = {"dim": 3, "epoch": 1, "minCount": 1, "bucket": 50, "thread": 1, "verbose": 0}
    model = fasttext.train_unsupervised(str(folder / "text.txt"), **options)
    model.save_model(str(folder / "v.bin"))
    contents = {
        "v.vec": text.encode(),
        "v.vec.gz": gzip.compress(text.encode(), mtime=0),
        "v.npz": (folder / "v.npz").read_bytes(),
        "v.bin": (folder / "v.bin").read_bytes(),
    }

    def both(path: Path) -> None:
        read_vectors(path, [*words, "other"], subwords=True)
        read_words(str(path), 3)

    return {f"vectors {n}": _of({n: c}, lambda f, n=n: both(f / n)) for n, c in contents.items()}


def _models(folder: Path) -> dict[str, Target]:
    def opened(path: Path) -> None:
        model = DiskModel(str(path))
        if model.layout is not None:
            model.tables()
        model.refuse_damaged()

    made: dict[str, Target] = {}
    for name in ("roberta-tied-bias", "llama-untied"):
        model, _, _ = fixture(name)
        for shards in ("5GB", "20KB"):
            home = folder / f"{name}-{shards}"
            model.save_pretrained(home, max_shard_size=shards)
            files = {p.name: p.read_bytes() for p in home.iterdir()}
            small = tuple(n for n in files if n.endswith(".json")) + tuple(n for n in files if "00001" in n)
            damage = small if shards == "20KB" else tuple(files)
            made[f"checkpoint {name} {shards}"] = _of(files, opened, *damage)
    return made


def _results(folder: Path) -> dict[str, Target]:
    model, tokenizer, target = fixture("roberta-tied-bias")
    for part in (model, tokenizer):
        part.save_pretrained(folder / "source")
    prepared = prepare_graft(str(folder / "source"), Vocabulary.of(target), make_chain([("subword_mean", {})]), {})
    write_graft(prepared, folder / "grafted")
    files = {p.name: p.read_bytes() for p in (folder / "grafted").iterdir() if p.suffix in (".json", ".parquet")}

    def explained(path: Path) -> None:
        read_facts(path)
        new_rows(path)
        explain(path, "a house")

    save_result(folder, RESULT)
    stored = f"cells/{CELL.folder}/result.json"
    comparison = Comparison("x", (CELL,), None, {"source": "x"})

    def cell(path: Path) -> None:
        assert load_result(path, CELL) is not None or has_damaged_result(path, CELL) or _another(path / stored)

    return {
        "graft facts": _of(files, explained, FACTS),
        "provenance": _of(files, explained, PROVENANCE),
        "cell result": _of({stored: (folder / stored).read_bytes()}, cell),
        "comparison": _of({"comparison.json": json.dumps(comparison.as_json()).encode()}, load_comparison),
    }


def _another(path: Path) -> bool:
    """Whether this is the result of another cell."""
    found = CellResult.from_json(json.loads(path.read_text(encoding="utf-8"))).cell
    return (found.label, found.seed, found.key) != (CELL.label, CELL.seed, CELL.key)

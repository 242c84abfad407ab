"""A Git LFS pointer in the place of any file that is read is named as what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lexigraft.adapters.training.saved_adapter import load_adapter
from lexigraft.adapters.vectors.files import read_npz, read_vectors
from lexigraft.adapters.vectors.word_vectors import read_words
from lexigraft.core.config.recipe import DictionarySettings, ParallelSettings
from lexigraft.core.config.recipe_files import read_recipe
from lexigraft.core.data.dictionary import load_dictionary
from lexigraft.core.data.parallel_text import load_parallel
from lexigraft.core.data.readers import read_lines
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.folder import read_facts, read_provenance
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.models.loading import load_config
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 123456\n"


def weights(folder: Path) -> object:
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    return DiskModel(str(folder)).checkpoint


def shards(folder: Path) -> object:
    index = {"weight_map": {"a": "model-00001-of-00001.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return weights(folder)


def of_a_folder(folder: Path) -> object:
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "LlamaTokenizer"}))
    return load_vocabulary(folder)


def configured(folder: Path) -> object:
    tiny_tokenizer("unigram").backend_tokenizer.save(str(folder / "tokenizer.json"))
    return load_vocabulary(folder)


def lines(name: str) -> Callable[[Path], object]:
    return lambda folder: list(read_lines([str(folder / name)]))


READERS: list[tuple[str, Callable[[Path], object]]] = [
    *((name, lambda folder, name=name: load_vocabulary(folder / name))
      for name in ("tokenizer.json", "tokenizer.model", "x.spm", "x.tiktoken", "tekken.json", "vocab.txt")),
    *((name, load_vocabulary)
      for name in ("tokenizer.json", "spiece.model", "x.spm", "x.tiktoken", "tekken.json", "vocab.txt", "vocab.json")),
    ("tokenizer.json", of_a_folder),
    ("tokenizer.model", of_a_folder),
    ("tokenizer_config.json", configured),
    ("config.json", load_config),
    ("model.safetensors", weights),
    ("model-00001-of-00001.safetensors", shards),
    ("model.safetensors.index.json", weights),
    *((name, lines(name)) for name in ("a.txt", "a.txt.gz", "a.jsonl", "a.csv", "a.parquet")),
    ("a.tsv", lambda folder: load_dictionary(DictionarySettings(path=[str(folder / "a.tsv")]))),
    ("a.txt", lambda folder: load_parallel(ParallelSettings(source=[str(folder / "a.txt")], target=["other.txt"]))),
    *((name, lambda folder, name=name: read_vectors(folder / name, ["a"], subwords=False))
      for name in ("a.vec", "a.vec.gz", "a.bin", "a.npz")),
    ("a.npz", lambda folder: read_npz(folder / "a.npz")),
    *((name, lambda folder, name=name: read_words(str(folder / name))) for name in ("a.vec", "a.bin", "a.npz")),
    ("adapter_model.safetensors", lambda folder: load_adapter(torch.nn.Linear(1, 1), folder)),  # type: ignore[arg-type]
    ("recipe.yaml", lambda folder: read_recipe(folder / "recipe.yaml")),
    ("lexigraft.json", read_facts),
    ("provenance.parquet", read_provenance),
]  # fmt: skip


@pytest.mark.parametrize(("name", "read"), READERS, ids=[f"{n}-{name}" for n, (name, _) in enumerate(READERS)])
def test_a_pointer_is_named(tmp_path: Path, name: str, read: Callable[[Path], object]) -> None:
    (tmp_path / name).write_text(POINTER)
    with pytest.raises(LexigraftError, match=r"Git LFS pointer.*git lfs pull"):
        read(tmp_path)


def test_a_pointer_that_nobody_reads_is_no_error(tmp_path: Path) -> None:
    configured(tmp_path)
    for name in ("tokenizer.model", "pytorch_model.bin", "model.safetensors"):
        (tmp_path / name).write_text(POINTER)
    assert load_vocabulary(tmp_path).size > 0

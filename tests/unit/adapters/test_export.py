"""Exported adapters: plain PEFT and plain transformers load them with every trained weight, and ties hold."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from transformers import PreTrainedModel

from fixtures.adapting import adapted, load, weights
from lexigraft.adapters.training.adapt import Adapted
from lexigraft.adapters.training.export import save_adapter
from lexigraft.adapters.training.saved_adapter import base_of, is_adapter, load_adapter
from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_models import spec

TABLES: dict[str, dict[str, Any]] = {
    "full": {},
    "new rows": {"embeddings": "new_rows", "head": "new_rows"},
    "lora": {"embeddings": "lora", "head": "lora"},
    "frozen": {"embeddings": "frozen", "head": "frozen"},
    "tables alone": {"body": "frozen"},
    "new rows alone": {"embeddings": "new_rows", "head": "new_rows", "body": "frozen"},
    "end layers": {"body": "top_bottom:1"},
    "everything": {"body": "full"},
    "lora after all": {
        "steps": 4,
        "phases": [{"steps": 2, "body": "full"}, {"steps": 2, "embeddings": "frozen", "head": "frozen"}],
    },
}
NAMES = ["bert-tied-bias", "llama-tied", "llama-untied", "t5-tied", "mt5-untied", "llama-bf16"]
CASES = [
    (name, setting)
    for name in NAMES
    for setting in TABLES
    # LoRA cannot train a table that several parts of the model share.
    if setting != "lora" or (not spec(name).tied and name != "mt5-untied")
]


@pytest.fixture(autouse=True)
def _pefts_own_words() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        warnings.filterwarnings("ignore", "Input and output embeddings are no longer tied", UserWarning)
        yield


def _logits(model: Any) -> torch.Tensor:
    ids = torch.arange(5, 25)[None]
    extra = {"decoder_input_ids": ids} if model.config.is_encoder_decoder else {}
    with torch.no_grad():
        return model.eval()(input_ids=ids, **extra).logits.float()


def _is_tied(model: Any) -> bool:
    return model.get_input_embeddings().weight is model.get_output_embeddings().weight


Bases = Callable[..., tuple[PreTrainedModel, Vocabulary]]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Bases:
    """A fixture model as it was read from disk, and its vocabulary; each is read once, for tests to copy."""
    folder = tmp_path_factory.mktemp("bases")

    @cache
    def read(name: str, dtype: Any = "auto") -> tuple[PreTrainedModel, Vocabulary]:
        model, vocabulary = load(name)
        model.save_pretrained(folder / name)
        return type(model).from_pretrained(folder / name, dtype=dtype), vocabulary

    return read


def _adapted_from_disk(bases: Bases, name: str, options: dict[str, Any], folder: Path) -> Adapted:
    """A model that was read from disk, adapted, and saved as ``merged`` and as ``adapter``."""
    base, vocabulary = bases(name)
    new_ids = range(40, vocabulary.size, 3)
    result = adapted(copy.deepcopy(base), vocabulary, {"steps": 2, **options}, new_ids=new_ids)
    result.model.save_pretrained(folder / "merged")
    save_adapter(result, folder / "adapter")
    return result


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("name", "setting"), CASES)
def test_plain_peft_gives_the_merged_models_logits_and_ties_hold(
    name: str, setting: str, bases: Bases, tmp_path: Path
) -> None:
    result = _adapted_from_disk(bases, name, TABLES[setting], tmp_path)
    base = copy.deepcopy(bases(name, torch.float32)[0])
    kind, tied = type(base), spec(name).tied
    wanted = _logits(kind.from_pretrained(tmp_path / "merged", dtype=torch.float32))
    change = (_logits(base) - wanted).abs().max().item()
    # The merged bfloat16 model's weights are rounded, with LoRA beside the weights they are not.
    tolerance = {"atol": 0.1 * change if result.model.dtype == torch.bfloat16 else 2e-5, "rtol": 0}
    assert change > 0.01
    model = peft.PeftModel.from_pretrained(base, str(tmp_path / "adapter"))
    torch.testing.assert_close(_logits(model), wanted, **tolerance)
    assert _is_tied(model) == tied
    unloaded = model.merge_and_unload()
    torch.testing.assert_close(_logits(unloaded), wanted, **tolerance)
    assert _is_tied(unloaded) == tied
    unloaded.save_pretrained(tmp_path / "unloaded")
    again = kind.from_pretrained(tmp_path / "unloaded")
    torch.testing.assert_close(_logits(again), wanted, **tolerance)
    assert _is_tied(again) == tied

    ours = load_adapter(copy.deepcopy(bases(name)[0]), tmp_path / "adapter")
    expected, got = weights(result.model), weights(ours)
    for parameter, value in expected.items():
        torch.testing.assert_close(got[parameter], value, atol=1e-6, rtol=1e-6)
    assert _is_tied(ours) == tied
    assert not ours.training
    assert all(p.requires_grad for p in ours.parameters())


@pytest.mark.parametrize("name", ["roberta-tied-bias", "llama-tied", "llama-untied", "t5-tied", "mt5-untied"])
@pytest.mark.parametrize("body", ["lora", "frozen"])
def test_loaders_that_replace_tensors_give_the_merged_models_logits(
    name: str, body: str, bases: Bases, tmp_path: Path
) -> None:
    result = _adapted_from_disk(bases, name, {"body": body}, tmp_path)
    folder, wanted = str(tmp_path / "adapter"), _logits(result.model)
    base = copy.deepcopy(bases(name)[0])
    kind = type(base)
    models = {
        "transformers": kind.from_pretrained(folder),
        "PEFT by the adapter's name": peft.AutoPeftModel.from_pretrained(folder),
        "PEFT on the meta device": peft.PeftModel.from_pretrained(base, folder, low_cpu_mem_usage=True),
    }
    for loader, model in models.items():
        difference = (_logits(model) - wanted).abs().max().item()
        assert difference < 1e-4, loader


def test_merging_leaves_what_the_configuration_says_about_ties(bases: Bases, tmp_path: Path) -> None:
    # UMT5 scales its logits where the configuration says "tied", and it says so for untied tables too.
    result = _adapted_from_disk(bases, "mt5-untied", {}, tmp_path)
    base = copy.deepcopy(bases("mt5-untied")[0])
    assert base.config.tie_word_embeddings
    assert result.model.config.tie_word_embeddings
    assert load_adapter(base, tmp_path / "adapter").config.tie_word_embeddings


@pytest.mark.parametrize("setting", ["full", "tables alone"])
def test_plain_peft_stops_at_a_base_model_of_another_size(setting: str, bases: Bases, tmp_path: Path) -> None:
    _adapted_from_disk(bases, "llama-tied", TABLES[setting], tmp_path)
    with pytest.raises(RuntimeError, match="size mismatch"):
        peft.PeftModel.from_pretrained(load("llama-untied")[0], str(tmp_path / "adapter"))


def test_the_folder_says_what_it_is_and_names_its_base_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, vocabulary = load("bert-tied-bias")
    model.save_pretrained(tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    model = type(model).from_pretrained("base")
    save_adapter(adapted(model, vocabulary, {"steps": 1}), tmp_path / "adapter")
    names = {path.name for path in (tmp_path / "adapter").iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors", "README.md"}
    assert is_adapter(tmp_path / "adapter")
    assert not is_adapter(tmp_path / "base")
    monkeypatch.chdir("/")
    assert base_of(tmp_path / "adapter") == str(tmp_path / "base")
    text = (tmp_path / "adapter" / "README.md").read_text()
    for part in (str(tmp_path / "base"), "PeftModel.from_pretrained", "lexigraft.load_adapter", "merge_and_unload"):
        assert part in text


def test_folders_that_are_no_adapter_and_adapters_of_other_models_are_refused(bases: Bases, tmp_path: Path) -> None:
    result = _adapted_from_disk(bases, "bert-tied-bias", {}, tmp_path)
    for other in ("llama-tied", "roberta-tied-bias"):
        with pytest.raises(LexigraftError, match="another model"):
            load_adapter(load(other)[0], tmp_path / "adapter")
    with pytest.raises(LexigraftError, match="no adapter"):
        load_adapter(result.model, tmp_path / "merged")
    path = tmp_path / "adapter" / "adapter_config.json"
    config = json.loads(path.read_text())
    for text, message in {
        "{": "cannot be read",
        "[]": "cannot be read",
        json.dumps(config | {"base_model_name_or_path": None}): "names no base model",
        json.dumps(config | {"base_model_name_or_path": str(tmp_path / "gone")}): "base model is not there",
    }.items():
        path.write_text(text)
        with pytest.raises(LexigraftError, match=message):
            base_of(tmp_path / "adapter")

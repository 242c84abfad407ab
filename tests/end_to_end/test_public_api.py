"""The public Python API, from a graft to an adapted model, with the names that `lexigraft` itself exports."""

from pathlib import Path

import pytest
import torch
from tests.fixtures.commands import write_files
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

import lexigraft
from lexigraft.settings import AdaptSettings

LOADERS = {"roberta-tied-bias": AutoModelForMaskedLM, "llama-untied": AutoModelForCausalLM}
SETTINGS = AdaptSettings(steps=3, batch_tokens=64, sequence_length=32, learning_rate=1e-2, precision="float32")


@pytest.mark.parametrize("name", LOADERS)
def test_a_loaded_adapter_is_the_merged_model(name: str, tmp_path: Path) -> None:
    files = write_files(tmp_path, name)
    base = tmp_path / "grafted"
    lexigraft.graft(str(files.source), str(files.target), "subword_mean", out=base)
    results = {
        export: lexigraft.adapt(str(base), [files.text], out=tmp_path / export, settings=SETTINGS, export=export)
        for export in ("merged", "adapter", "both")
    }
    assert all(result.steps == 3 and result.out == tmp_path / export for export, result in results.items())
    merged = LOADERS[name].from_pretrained(results["merged"].out)
    adapted = lexigraft.load_adapter(results["adapter"].out, str(base))
    beside = lexigraft.load_adapter(results["both"].out / "adapter")
    start = LOADERS[name].from_pretrained(base)
    ids = torch.arange(24).reshape(2, 12) * 37 % start.config.vocab_size
    with torch.no_grad():
        logits = [model(input_ids=ids).logits for model in (merged, adapted, beside, start)]
    torch.testing.assert_close(logits[1], logits[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(logits[2], logits[0], rtol=1e-5, atol=1e-5)
    assert (logits[3] - logits[0]).abs().max() > 0.01
    assert not adapted.training


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    with pytest.raises(lexigraft.LexigraftError, match="no adapter in this folder"):
        lexigraft.load_adapter(files.source, str(files.source))


def test_graft_model_gives_what_graft_writes(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    lexigraft.graft(str(files.source), str(files.target), "subword_mean", out=tmp_path / "grafted")
    grafted = lexigraft.graft_model(str(files.source), str(files.target), "subword_mean")
    written = AutoModelForMaskedLM.from_pretrained(tmp_path / "grafted")
    assert torch.equal(grafted.model.get_input_embeddings().weight, written.get_input_embeddings().weight)


def test_every_exported_name_exists() -> None:
    assert {"graft_model", "load_adapter"} <= set(lexigraft.__all__)
    assert all(getattr(lexigraft, name) is not None for name in lexigraft.__all__)

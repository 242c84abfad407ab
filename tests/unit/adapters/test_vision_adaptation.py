"""Continued pretraining on text of models that read images: the text model learns, the rest stays byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoProcessor

from fixtures.vision_models import TEMPLATE, VISION_MODELS, save_vision_model, vision_tokenizer
from lexigraft.api.adapt import adapt
from lexigraft.api.evaluate import evaluate
from lexigraft.core.errors import LexigraftError
from lexigraft.settings import AdaptSettings

CONTINUE_TEXT = ("llava", "qwen2-vl")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("".join(f"The river {n} runs past the old house {7 * n}.\n" for n in range(40)))
    return path


@pytest.mark.parametrize(("name", "body"), [("llava", "lora"), ("llava", "top_bottom:1"), ("qwen2-vl", "full")])
def test_text_trains_the_text_model_only(name: str, body: str, text: Path, tmp_path: Path) -> None:
    source = save_vision_model(name, vision_tokenizer(name), tmp_path / "source")
    settings = AdaptSettings(steps=2, sequence_length=24, batch_tokens=96, body=body, learning_rate=0.05)
    result = adapt(str(source), [text], out=tmp_path / "out", settings=settings, heldout=[text])
    before, after = (load_file(folder / "model.safetensors") for folder in (source, tmp_path / "out"))
    assert before.keys() == after.keys()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert any("layers" in key for key in changed)
    assert any("embed_tokens" in key for key in changed)
    images = ("vision", "visual", "multi_modal")
    assert not [key for key in changed if any(word in key for word in images)]
    assert result.after["bits_per_byte/heldout"] < result.before["bits_per_byte/heldout"]
    if name == "llava":
        assert AutoProcessor.from_pretrained(tmp_path / "out").chat_template == TEMPLATE


@pytest.mark.parametrize("name", sorted(set(VISION_MODELS) - set(CONTINUE_TEXT) - {"clip-of-2021"}))
def test_a_model_that_does_not_continue_a_text_alone_is_refused(name: str, text: Path, tmp_path: Path) -> None:
    source = save_vision_model(name, vision_tokenizer(name), tmp_path / "source")
    with pytest.raises(LexigraftError, match=r"predicts no text.*It can be grafted"):
        adapt(str(source), [text], out=tmp_path / "out", settings=AdaptSettings(steps=1))
    with pytest.raises(LexigraftError, match="predicts no text"):
        evaluate(str(source), [text])
    assert not (tmp_path / "out").exists()

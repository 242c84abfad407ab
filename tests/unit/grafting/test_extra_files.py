"""What stands beside a model and does not depend on its vocabulary goes with it into the new folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModel, BertConfig, BertModel

from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.pipeline import PreparedGraft, make_chain, prepare_graft
from lexigraft.core.grafting.writer import write_graft
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_models import fixture

MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
    {"idx": 3, "name": "3", "path": "3_Normalize", "type": "sentence_transformers.models.Normalize"},
]
SETTINGS = {
    "sentence_bert_config.json": {"max_seq_length": 64, "do_lower_case": False},
    "config_sentence_transformers.json": {"prompts": {"query": "query: "}, "similarity_fn_name": "cosine"},
    "preprocessor_config.json": {"image_processor_type": "CLIPImageProcessor", "size": {"height": 8, "width": 8}},
    "processor_config.json": {"processor_class": "LlavaProcessor", "patch_size": 4},
}


def sentence_encoder(folder: Path, modules: Any = MODULES) -> Path:
    """A folder as sentence-transformers writes it: a bare encoder, pooling, and a dense layer with weights."""
    _, tokenizer, _ = fixture("bert-tied-bias")
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 48}
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(tokenizer), **shape)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "modules.json").write_text(json.dumps(modules))
    for name, content in SETTINGS.items():
        (folder / name).write_text(json.dumps(content))
    for name in ("1_Pooling", "2_Dense"):
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True, "in_features": 32}))
    save_file({"linear.weight": torch.randn(8, 32)}, folder / "2_Dense" / "model.safetensors")
    return folder


def prepared(source: Path) -> PreparedGraft:
    target = Vocabulary.of(fixture("bert-tied-bias")[2])
    return prepare_graft(str(source), target, make_chain([("subword_mean", {})]), {})


def embedding(folder: Path, ids: list[int]) -> torch.Tensor:
    """A sentence's mean state, through the dense layer of the folder."""
    from safetensors.torch import load_file

    model = AutoModel.from_pretrained(folder).eval()
    dense = load_file(folder / "2_Dense" / "model.safetensors")["linear.weight"]
    with torch.no_grad():
        states: torch.Tensor = model(input_ids=torch.tensor([ids])).last_hidden_state
    return states.mean(1) @ dense.T


def test_a_sentence_encoder_keeps_its_modules_and_embeds_shared_words_as_before(tmp_path: Path) -> None:
    source = sentence_encoder(tmp_path / "source")
    made = prepared(source)
    write_graft(made, tmp_path / "out")
    for path in [source / "modules.json", *map(source.__truediv__, SETTINGS), *source.glob("[0-9]_*/*")]:
        assert (tmp_path / "out" / path.relative_to(source)).read_bytes() == path.read_bytes()
    ids = made.alignment.matched[:9].tolist()
    twins = made.alignment.source_ids[ids].tolist()
    assert torch.equal(embedding(tmp_path / "out", ids), embedding(source, twins))
    assert json.loads((tmp_path / "out" / "config.json").read_text())["vocab_size"] == made.vocabulary.size


@pytest.mark.parametrize(
    "modules", ["no list", [{"idx": 0}], [{"path": "../other"}], [{"path": "/etc"}], [{"path": 7}]]
)
def test_modules_that_cannot_be_followed_are_refused_before_any_work(modules: Any, tmp_path: Path) -> None:
    source = sentence_encoder(tmp_path / "source", modules)
    with pytest.raises(LexigraftError, match=r"modules\.json"):
        prepared(source)


def test_what_the_graft_writes_itself_is_not_replaced(tmp_path: Path) -> None:
    source = sentence_encoder(tmp_path / "source", [{"path": "./"}, {"path": "1_Pooling"}])
    (source / "1_Pooling" / "deeper").mkdir()
    (source / "1_Pooling" / "deeper" / "more.txt").write_text("more")
    write_graft(prepared(source), tmp_path / "out")
    assert (tmp_path / "out" / "1_Pooling" / "deeper" / "more.txt").read_text() == "more"
    assert not (tmp_path / "out" / "2_Dense").exists()
    assert json.loads((tmp_path / "out" / "config.json").read_text())["vocab_size"] != len(fixture("bert-tied-bias")[1])


def with_settings(folder: Path, content: str) -> Path:
    """The tied Llama's folder with generation settings of the user's own."""
    model, tokenizer, _ = fixture("llama-tied")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "generation_config.json").write_text(content)
    return folder


def test_generation_settings_are_kept_as_they_are_but_for_their_ids(tmp_path: Path) -> None:
    _, tokenizer, target = fixture("llama-tied")
    before, after = Vocabulary.of(tokenizer), Vocabulary.of(target)
    roles, new_roles = before.specials, after.specials
    assert roles["pad"] != new_roles["pad"]
    settings = {
        "do_sample": False,
        "temperature": 0.6,
        "top_p": 0.9,
        "max_length": 20,
        "chat_format": "chatml",
        "watermarking_config": {"greenlist_ratio": 0.25},
    }
    ids = {"eos_token_id": [roles["eos"], roles["pad"]], "suppress_tokens": [roles["unk"]]}
    source = with_settings(tmp_path / "source", json.dumps(settings | ids))
    made = prepare_graft(str(source), after, make_chain([("subword_mean", {})]), {})
    write_graft(made, tmp_path / "out")
    written = json.loads((tmp_path / "out" / "generation_config.json").read_text())
    assert written.pop("transformers_version")
    assert written == settings | {
        "eos_token_id": [new_roles["eos"], new_roles["pad"]],
        "suppress_tokens": [new_roles["unk"]],
    }


@pytest.mark.parametrize("content", ["{oops", "[1, 2]", '{"max_new_tokens": -5}', '{"num_return_sequences": 3}'])
def test_generation_settings_that_transformers_refuses_are_refused_before_any_work(
    content: str, tmp_path: Path
) -> None:
    source = with_settings(tmp_path / "source", content)
    target = Vocabulary.of(fixture("llama-tied")[2])
    with pytest.raises(LexigraftError, match="refuses the model's generation settings"):
        prepare_graft(str(source), target, make_chain([("subword_mean", {})]), {})

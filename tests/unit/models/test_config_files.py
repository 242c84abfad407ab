"""The configuration of a written model: the source's own keys, the new values, and what older readers look for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig, LlamaConfig, LlavaConfig, PretrainedConfig, XLMConfig

from lexigraft.core.models.config_files import add_older_keys, keep_config

LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def written(config: PretrainedConfig, folder: Path) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    config.save_pretrained(folder)
    add_older_keys(folder)
    return content(folder)


def content(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return found


def without_path(config: PretrainedConfig) -> dict[str, Any]:
    """What a configuration says, but for where it was read and which release wrote it."""
    return {k: v for k, v in config.to_dict().items() if k not in ("_name_or_path", "transformers_version")}


def read_again(folder: Path) -> dict[str, Any]:
    return without_path(AutoConfig.from_pretrained(folder))


def test_keys_of_older_and_other_programs_stay_and_values_that_changed_are_new(tmp_path: Path) -> None:
    old = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": 100,
        "eos_token_id": [2, 3],
        "hidden_size": 16,
        "num_attention_heads": 2,
        "rope_theta": 500000.0,
        "rope_scaling": LLAMA3,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.40.0",
        "house_style": {"own": True},
    }
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "config.json").write_text(json.dumps(old))
    config = AutoConfig.from_pretrained(tmp_path / "source")
    config.vocab_size, config.eos_token_id, config.pad_token_id = 120, [5, 3], 7
    written(config, tmp_path / "out")
    keep_config(tmp_path / "source", tmp_path / "out")
    expected = old | {"vocab_size": 120, "eos_token_id": [5, 3], "pad_token_id": 7}
    found = content(tmp_path / "out")
    assert {key: found[key] for key in expected} == expected
    assert read_again(tmp_path / "out") == without_path(config)


@pytest.mark.parametrize("rotary", [LLAMA3, {"rope_type": "default"}])
def test_rotary_settings_are_named_in_the_older_way_too(rotary: dict[str, Any], tmp_path: Path) -> None:
    config = LlamaConfig(rope_parameters=rotary | {"rope_theta": 500000.0})
    found = written(config, tmp_path / "out")
    assert found["rope_theta"] == 500000.0
    assert found.get("rope_scaling") == (LLAMA3 if rotary is LLAMA3 else None)
    assert read_again(tmp_path / "out") == without_path(config)


def test_a_nested_configuration_is_kept_and_changed_likewise(tmp_path: Path) -> None:
    text = LlamaConfig(vocab_size=100, rope_parameters={"rope_type": "default", "rope_theta": 77.0})
    config = LlavaConfig(text_config=text, image_token_index=9)
    source = written(config, tmp_path / "source")
    source["text_config"]["house_style"] = 1
    (tmp_path / "source" / "config.json").write_text(json.dumps(source))
    config = AutoConfig.from_pretrained(tmp_path / "source")
    config.text_config.vocab_size, config.image_token_id = 120, 8
    written(config, tmp_path / "out")
    keep_config(tmp_path / "source", tmp_path / "out")
    found = content(tmp_path / "out")
    assert (found["text_config"]["vocab_size"], found["image_token_index"]) == (120, 8)
    assert (found["text_config"]["rope_theta"], found["text_config"]["house_style"]) == (77.0, 1)


def test_an_older_spelling_that_would_hide_the_new_value_is_given_up(tmp_path: Path) -> None:
    source = written(XLMConfig(vocab_size=100), tmp_path / "source")
    source["n_words"] = source.pop("vocab_size", source.get("n_words"))
    (tmp_path / "source" / "config.json").write_text(json.dumps(source))
    config = AutoConfig.from_pretrained(tmp_path / "source")
    assert config.vocab_size == 100
    config.vocab_size = 120
    written(config, tmp_path / "out")
    keep_config(tmp_path / "source", tmp_path / "out")
    assert AutoConfig.from_pretrained(tmp_path / "out").vocab_size == 120

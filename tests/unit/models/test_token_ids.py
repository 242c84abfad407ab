"""Token ids in configurations: mapped with the tokens that they name, nested ones too, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForImageTextToText,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

from fixtures.logits_biases import saved, with_languages
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.pipeline import make_chain, prepare_graft
from lexigraft.core.grafting.writer import write_graft
from lexigraft.core.models.token_ids import set_token_ids
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_models import fixture
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

IMAGE = "<image>"


def llava(tokenizer: Any) -> Any:
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=8, patch_size=4
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2
    )
    place = tokenizer.convert_tokens_to_ids(IMAGE)
    torch.manual_seed(0)
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=place, image_seq_length=4, tie_word_embeddings=False
    )
    return LlavaForConditionalGeneration(config).eval()


def picture_logits(model: Any, tokenizer: Any, text: str) -> torch.Tensor:
    ids = [tokenizer.convert_tokens_to_ids(IMAGE)] * 4 + tokenizer(text)["input_ids"]
    pixels = torch.linspace(-1, 1, 3 * 64).reshape(1, 3, 8, 8)
    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=torch.tensor([ids]), pixel_values=pixels).logits
    return logits


def test_a_picture_still_stands_where_its_token_stands(tmp_path: Path) -> None:
    plain = tiny_tokenizer("bpe_byte_fallback")
    source, target = with_languages(plain, IMAGE), with_languages(plain, "<video>", IMAGE)
    model = llava(source)
    folder = saved(model, source, tmp_path / "source")
    made = prepare_graft(str(folder), Vocabulary.of(target), make_chain([("subword_mean", {})]), {})
    write_graft(made, tmp_path / "out")
    again = AutoModelForImageTextToText.from_pretrained(tmp_path / "out").eval()
    assert again.config.image_token_id == target.convert_tokens_to_ids(IMAGE) == model.config.image_token_id + 1
    text = "The river runs past the old house."
    before, after = picture_logits(model, source, text), picture_logits(again, target, text)
    assert torch.allclose(before[..., : len(plain)], after[..., : len(plain)], atol=1e-6)


def test_a_target_without_the_pictures_token_is_refused_before_any_work(tmp_path: Path) -> None:
    source, target = with_languages(tiny_tokenizer("bpe_byte_fallback"), IMAGE), tiny_tokenizer("byte_bpe", "target")
    place = source.convert_tokens_to_ids(IMAGE)
    folder = saved(llava(source), source, tmp_path / "source")
    with pytest.raises(LexigraftError, match=rf"LlavaForConditional.*image_token_(index|id) {place} \(<image>\)"):
        prepare_graft(str(folder), Vocabulary.of(target), make_chain([("subword_mean", {})]), {})


def configured(**fields: Any) -> tuple[Any, Vocabulary, Vocabulary]:
    """The tied Llama, with further fields in its configuration."""
    model, source, target = fixture("llama-tied")
    for field, value in fields.items():
        setattr(model.config, field, value)
    return model, Vocabulary.of(source), Vocabulary.of(target)


def shared(before: Vocabulary, after: Vocabulary) -> tuple[int, int]:
    """A token of both vocabularies that has another id in each, and fills no role."""
    for old, token in enumerate(before.tokens):
        new = after.id_of(token)
        if new not in (None, old) and old not in before.special_ids:
            return old, new
    raise AssertionError


@pytest.mark.parametrize(
    "field", ["image_token_id", "video_token_index", "boi_token_index", "vision_start_token_id", "slice_start_id"]
)
def test_every_field_that_holds_a_token_id_is_mapped(field: str) -> None:
    _, before, after = configured()
    old, new = shared(before, after)
    model, before, after = configured(**{field: old})
    set_token_ids(model, before, after)
    assert getattr(model.config, field) == new


def test_lists_and_dictionaries_of_ids_are_mapped_and_what_is_no_token_stays() -> None:
    _, before, after = configured()
    old, new = shared(before, after)
    beyond = max(before.size, after.size) + 5
    given = {
        "visual_indicator_token_ids": [old],
        "vocabulary_map": {"<image>": old},
        "image_token_id": beyond,
        "video_token_id": -200,
        "audio_token_id": None,
        "num_image_tokens": old,
        "max_new_tokens": old,
    }
    model, before, after = configured(**given)
    model.image_token_id = beyond
    set_token_ids(model, before, after)
    assert {field: getattr(model.config, field) for field in given} == given | {
        "visual_indicator_token_ids": [new],
        "vocabulary_map": {"<image>": new},
    }


def test_an_id_that_would_become_another_token_is_refused() -> None:
    _, before, after = configured()
    assert after.size > before.size
    model, before, after = configured(image_token_id=before.size)
    with pytest.raises(LexigraftError, match=f"image_token_id {before.size}"):
        set_token_ids(model, before, after)


def test_ids_are_matched_across_families_by_their_bytes() -> None:
    model, source, _ = fixture("llama-tied")
    before, after = Vocabulary.of(source), Vocabulary.of(tiny_tokenizer("bpe_byte_fallback", "source"))
    text = " river"
    [old] = before.encode([text])[0][:1]
    model.generation_config = GenerationConfig(suppress_tokens=[old])
    set_token_ids(model, before, after)
    [new] = model.generation_config.suppress_tokens
    assert before.surfaces.texts[old] == after.surfaces.texts[new]


def test_settings_that_lose_tokens_say_so_once_each() -> None:
    model, before, after = configured()
    gone = [i for i, t in enumerate(before.tokens) if t not in after.tokens and i not in before.special_ids][:8]
    old, new = shared(before, after)
    model.generation_config = GenerationConfig(
        suppress_tokens=[old, *gone[1:]],
        sequence_bias=[[[old], 2.0], [[old, gone[0]], -1.0]],
        bad_words_ids=[[old], gone],
        forced_bos_token_id=gone[0],
        lang_to_id={"<|qu|>": gone[0], "<|en|>": old},
    )
    notes = set_token_ids(model, before, after)
    settings = model.generation_config
    assert settings.suppress_tokens == [new]
    assert settings.sequence_bias == [[[new], 2.0]]
    assert settings.bad_words_ids == [[new]]
    assert settings.forced_bos_token_id is None
    assert settings.lang_to_id == {"<|en|>": new}
    assert len(notes) == 5
    assert all("no place" in note for note in notes)
    assert any(note.startswith("generation setting suppress_tokens") and note.endswith(" and 2 more") for note in notes)


@pytest.mark.parametrize("settings", [{"bad_words_ids": [5]}, {"forced_decoder_ids": [7]}, {"suppress_tokens": [[{}]]}])
def test_a_malformed_setting_is_named(settings: dict[str, Any]) -> None:
    model, before, after = configured()
    vars(model.generation_config).update(settings)
    [field] = settings
    with pytest.raises(LexigraftError, match=f"generation setting {field} is malformed"):
        set_token_ids(model, before, after)

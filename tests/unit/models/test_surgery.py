"""Surgery: tables, ties and special ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import RobertaConfig, RobertaForMaskedLM, UMT5Config, UMT5ForConditionalGeneration

from fixtures.new_tables import model_and_vocabularies, random_tables
from fixtures.vocabularies import unigram_vocabulary
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.loading import load_model
from lexigraft.core.models.surgery import install, reshape
from lexigraft.core.models.tables import tables_of
from lexigraft.core.models.token_ids import set_token_ids
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_models import FIXTURES, fixture


@pytest.mark.parametrize("name", [s.name for s in FIXTURES])
def test_new_tables_take_their_places_and_ties_stay(name: str) -> None:
    model, before, after = model_and_vocabularies(name)
    tied, dtype = tables_of(model).tied, model.dtype
    made = random_tables(model, after.size)
    install(model, made, before, after)
    new = tables_of(model)
    assert new.tied is tied
    assert set(new.by_role) == set(made)
    for role, table in new.by_role.items():
        assert table.dtype == dtype
        assert torch.equal(table, made[role].to(dtype))
    assert model.config.get_text_config().vocab_size == after.size
    ids = torch.tensor([[1, after.size - 1]])
    inputs = {"input_ids": ids} | ({"decoder_input_ids": ids} if model.config.is_encoder_decoder else {})
    with torch.no_grad():
        assert model(**inputs).logits.shape[-1] == after.size


def test_mt5_stays_untied_whatever_its_configuration_says() -> None:
    model, before, after = model_and_vocabularies("mt5-untied")
    install(model, random_tables(model, after.size), before, after)
    table, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    assert table.data_ptr() != head.data_ptr()
    assert not torch.equal(table, head)
    assert model.config.tie_word_embeddings is False


@pytest.mark.parametrize("kind", [*(s.name for s in FIXTURES), "untied UMT5", "untied RoBERTa"])
def test_a_models_own_rows_for_its_own_tokens_leave_its_logits(kind: str, tmp_path: Path) -> None:
    name = {"untied UMT5": "mt5-untied", "untied RoBERTa": "roberta-tied-bias"}.get(kind, kind)
    model, tokenizer, _ = fixture(name)
    if kind == "untied UMT5":
        # Its configuration says "tied" whatever one asks for, and its forward pass scales the logits by that.
        model = UMT5ForConditionalGeneration(UMT5Config(**without_type(model.config))).eval()
        model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight))
    elif kind == "untied RoBERTa":
        model = RobertaForMaskedLM(RobertaConfig(**without_type(model.config) | {"tie_word_embeddings": False})).eval()
        torch.nn.init.uniform_(model.lm_head.decoder.bias)
    vocabulary, ids = Vocabulary.of(tokenizer), torch.arange(10, 20)[None]
    inputs = {"input_ids": ids} | ({"decoder_input_ids": ids} if model.config.is_encoder_decoder else {})
    own = {role: table.detach()[: vocabulary.size].clone() for role, table in tables_of(model).by_role.items()}
    with torch.no_grad():
        expected = model(**inputs).logits[..., : vocabulary.size]
        install(model, own, vocabulary, vocabulary)
        assert torch.equal(model(**inputs).logits, expected)
        model.save_pretrained(tmp_path)
        assert torch.equal(load_model(tmp_path)(**inputs).logits, expected)


def without_type(config: Any) -> dict[str, Any]:
    return {key: value for key, value in config.to_dict().items() if key not in ("model_type", "architectures")}


@pytest.mark.parametrize("name", [s.name for s in FIXTURES])
def test_every_special_id_is_the_new_vocabularys(name: str) -> None:
    model, before, after = model_and_vocabularies(name)
    install(model, random_tables(model, after.size), before, after)
    for config in filter(None, (model.config, getattr(model, "generation_config", None))):
        for role in ("bos", "eos", "pad"):
            assert getattr(config, f"{role}_token_id") == after.specials.get(role)


def test_generation_settings_that_name_ids_are_translated_or_dropped() -> None:
    model, before, after = model_and_vocabularies("t5-tied")
    model.generation_config.forced_eos_token_id = before.specials["eos"]
    kept, gone = (
        before.tokens.index("<extra_id_0>"),
        next(i for i, t in enumerate(before.tokens) if t not in after.tokens),
    )
    model.generation_config.suppress_tokens = [kept, gone]
    model.generation_config.begin_suppress_tokens = [gone]
    model.generation_config.bad_words_ids = [[kept], [kept, gone]]
    model.generation_config.forced_decoder_ids = [[1, kept], [2, gone]]
    install(model, random_tables(model, after.size), before, after)
    assert model.config.decoder_start_token_id == after.specials["pad"]
    assert model.generation_config.decoder_start_token_id in (None, after.specials["pad"])
    assert model.generation_config.forced_eos_token_id == after.specials["eos"]
    twin = after.tokens.index("<extra_id_0>")
    assert model.generation_config.suppress_tokens == [twin]
    assert model.generation_config.begin_suppress_tokens is None
    assert model.generation_config.bad_words_ids == [[twin]]
    assert model.generation_config.forced_decoder_ids == [[1, twin]]


def extended(tokenizer: Any) -> Any:
    from transformers import PreTrainedTokenizerFast

    backend = type(tokenizer.backend_tokenizer).from_str(tokenizer.backend_tokenizer.to_str())
    backend.add_tokens(["wasikuna"])
    return PreTrainedTokenizerFast(tokenizer_object=backend, **tokenizer.special_tokens_map)


def test_an_extended_vocabulary_leaves_generation_settings_as_they_are() -> None:
    from transformers import GenerationConfig

    model, tokenizer, _ = fixture("llama-tied")
    roles = Vocabulary.of(tokenizer).specials
    model.generation_config = GenerationConfig(
        bos_token_id=7,
        eos_token_id=[roles["eos"], 20, 21],
        temperature=0.6,
        suppress_tokens=[30],
        bad_words_ids=[[40, 41]],
    )
    model.config.eos_token_id = [roles["eos"], 20]
    model.config.bos_token_id = 7
    as_it_was = model.generation_config.to_dict()
    set_token_ids(model, Vocabulary.of(tokenizer), Vocabulary.of(extended(tokenizer)))
    assert model.generation_config.to_dict() == as_it_was
    assert model.config.eos_token_id == [roles["eos"], 20]
    assert model.config.bos_token_id == 7


def test_a_list_of_ends_goes_to_the_tokens_that_took_their_places() -> None:
    from transformers import GenerationConfig

    model, before, after = model_and_vocabularies("llama-tied")
    assert before.specials["pad"] != after.specials["pad"]
    gone = next(i for i, t in enumerate(before.tokens) if t not in after.tokens)
    model.generation_config = GenerationConfig(eos_token_id=[before.specials["eos"], before.specials["pad"], gone])
    set_token_ids(model, before, after)
    assert model.generation_config.eos_token_id == [after.specials["eos"], after.specials["pad"]]
    assert model.generation_config.pad_token_id is None
    model.generation_config.eos_token_id = [gone]
    set_token_ids(model, before, after)
    assert model.generation_config.eos_token_id == after.specials["eos"]


def test_a_role_that_the_new_vocabulary_lacks_goes_with_its_row_or_is_emptied() -> None:
    model, before, _ = model_and_vocabularies("llama-tied")
    after = model_and_vocabularies("bert-tied-bias")[2]
    assert "bos" not in after.specials
    set_token_ids(model, before, after)
    assert model.config.bos_token_id == after.specials["cls"]
    assert model.config.eos_token_id == after.specials["sep"]
    assert model.config.pad_token_id == after.specials["pad"]
    model, before, _ = model_and_vocabularies("bert-tied-bias")
    set_token_ids(model, before, unigram_vocabulary())
    assert model.config.bos_token_id is None
    assert model.config.eos_token_id is None


def test_a_model_with_more_of_the_vocabularys_size_than_its_tables_is_refused() -> None:
    model, before, after = model_and_vocabularies("llama-tied")

    class Biased(type(model)):  # type: ignore[misc]
        def resize_token_embeddings(self, size: int, **options: Any) -> Any:
            self.late_bias = torch.nn.Parameter(torch.zeros(size))
            return super().resize_token_embeddings(size, **options)

    model.__class__ = Biased
    with pytest.raises(LexigraftError, match="late_bias of Biased"):
        reshape(model, before, after)


def test_a_class_that_does_not_resize_like_the_others_is_refused() -> None:
    from transformers import MobileBertConfig, MobileBertForMaskedLM

    _, before, after = model_and_vocabularies("bert-tied-bias")
    shape = {"hidden_size": 32, "embedding_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    shape |= {"intermediate_size": 32, "intra_bottleneck_size": 16, "true_hidden_size": 16}
    with torch.device("meta"):
        model = MobileBertForMaskedLM(MobileBertConfig(vocab_size=before.size, **shape))
    with pytest.raises(LexigraftError, match="MobileBertForMaskedLM"):
        reshape(model, before, after)

"""Positions that hang on the padding id move with it, or the graft is refused."""

from __future__ import annotations

import pytest
import torch

from fixtures.moved_padding import with_pad_at
from fixtures.new_tables import model_and_vocabularies, random_tables
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.surgery import install, reshape
from lexigraft.core.models.tables import Role, tables_of
from lexigraft.core.tokenization.matching.alignment import align
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_models import fixture


def wordpiece(*tokens: str) -> Vocabulary:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordPiece({t: i for i, t in enumerate(["[UNK]", *tokens])}, unk_token="[UNK]"))
    return Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]"))


@pytest.mark.parametrize("place", [0, 3, 9])
def test_robertas_positions_move_with_the_padding_id(place: int) -> None:
    model, tokenizer, _ = fixture("roberta-tied-bias")
    assert tokenizer.pad_token_id == 1
    before = Vocabulary.of(tokenizer)
    moved, after = with_pad_at(place)
    found = align(before, after)
    assert not len(found.new)
    twins = torch.from_numpy(found.source_ids)
    tables = {role: table.detach()[twins].clone() for role, table in tables_of(model).by_role.items()}
    texts = ["The river runs past the old house.", "The market"]
    with torch.no_grad():
        expected = model(**tokenizer(texts, padding=True, return_tensors="pt")).logits
        install(model, tables, before, after)
        inputs = moved(texts, padding=True, return_tensors="pt")
        logits = model(**inputs).logits
    real = inputs["attention_mask"].bool()
    assert torch.equal(logits[real], expected[real][:, twins])
    assert model.config.pad_token_id == place
    longest = model.config.max_position_embeddings - place - 1
    with torch.no_grad():
        assert model(input_ids=torch.full((1, longest), 20)).logits.shape[1] == longest


def test_a_padding_token_that_ends_texts_too_is_refused_where_positions_hang_on_it() -> None:
    for name in ("roberta-tied-bias", "llama-tied"):
        model, source, target = fixture(name)
        target.pad_token = target.eos_token
        before, after = Vocabulary.of(source), Vocabulary.of(target)
        if name == "llama-tied":
            reshape(model, before, after)
        else:
            with pytest.raises(LexigraftError, match=r"RobertaForMaskedLM.*pad is eos, sep"):
                reshape(model, before, after)


def test_a_padding_token_within_a_text_keeps_its_logits() -> None:
    model, before, _ = model_and_vocabularies("roberta-tied-bias")
    after = with_pad_at(9)[1]
    twins = torch.from_numpy(align(before, after).source_ids)
    text = torch.tensor([[5, before.specials["pad"], 6, 7]])
    with torch.no_grad():
        expected = model(text).logits[..., twins]
        install(model, {r: t.detach()[twins].clone() for r, t in tables_of(model).by_role.items()}, before, after)
        assert torch.equal(model(torch.argsort(twins)[text]).logits, expected)


@pytest.mark.parametrize("name", ["llama-tied", "bert-tied-bias", "roberta-tied-bias", "t5-tied"])
def test_an_old_padding_id_beyond_the_new_tables(name: str) -> None:
    model, before, _ = model_and_vocabularies(name)
    after = wordpiece("[PAD]", "a", "b")
    last = len(model.get_input_embeddings().weight) - 1
    model.config.pad_token_id = model.get_input_embeddings().padding_idx = last
    for module in model.modules():
        if name.startswith("roberta") and hasattr(module, "position_embeddings"):
            module.padding_idx = module.position_embeddings.padding_idx = 40
    install(model, random_tables(model, after.size), before, after)
    assert model.config.pad_token_id == after.specials["pad"]
    assert tables_of(model).by_role[Role.INPUT].shape[0] == after.size


def test_a_new_padding_id_beyond_the_old_positions() -> None:
    model, before, _ = model_and_vocabularies("roberta-tied-bias")
    after, longest = with_pad_at(200)[1], model.config.max_position_embeddings - 2
    install(model, random_tables(model, after.size), before, after)
    assert model.config.max_position_embeddings == 200 + 1 + longest
    with torch.no_grad():
        assert model(torch.full((1, longest), 20)).logits.isfinite().all()

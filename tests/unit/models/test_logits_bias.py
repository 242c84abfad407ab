"""The logits bias of BART and its kin: mixed like a head's bias, written, and read back by plain transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, GenerationConfig

from fixtures.logits_biases import KINDS, LANGUAGES, encoder_decoder, saved, with_languages
from fixtures.moved_padding import with_pad_at
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.pipeline import PreparedGraft, in_memory, make_chain, prepare_graft
from lexigraft.core.grafting.writer import write_graft
from lexigraft.core.methods.target_model import frozen_copy
from lexigraft.core.models.frozen_model import FrozenModel
from lexigraft.core.models.tables import LOGITS_BIAS, Role, tables_of
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_tokenizers import tiny_tokenizer

TEXT = "The river runs past the old house."


def logits_of(model: Any, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=ids, decoder_input_ids=ids).logits
    return logits


def prepared(source: Path, target: Any) -> PreparedGraft:
    return prepare_graft(str(source), Vocabulary.of(target), make_chain([("subword_mean", {})]), {})


@pytest.mark.parametrize("kind", KINDS)
def test_a_permuted_vocabulary_gives_the_same_logits_after_plain_reloading(kind: str, tmp_path: Path) -> None:
    source = tiny_tokenizer("byte_bpe")
    target, after = with_pad_at(9)
    model = encoder_decoder(kind, source)
    made = prepared(saved(model, source, tmp_path / "source"), target)
    write_graft(made, tmp_path / "out")
    # Read back too: some classes make their positions anew.
    model, again = (AutoModelForSeq2SeqLM.from_pretrained(tmp_path / name).eval() for name in ("source", "out"))
    old, new = (torch.tensor([t(TEXT)["input_ids"]]) for t in (source, target))
    twins = torch.from_numpy(made.alignment.source_ids)
    kept = torch.arange(after.size) != 9
    assert model.final_logits_bias.abs().max() > 0.1
    difference = logits_of(again, new) - logits_of(model, old)[..., twins]
    assert difference[..., kept].abs().max() < 1e-4
    assert torch.equal(again.final_logits_bias[0], model.final_logits_bias[0, twins])


@pytest.mark.parametrize(("kind", "shard"), [("MBart", "1GB"), ("MBart", "20KB"), ("Marian", "1GB")])
def test_the_bias_is_mixed_by_the_weights_of_the_rows_and_streamed_as_saved_from_memory(
    kind: str, shard: str, tmp_path: Path
) -> None:
    source, target = tiny_tokenizer("unigram"), tiny_tokenizer("unigram", "target")
    model = encoder_decoder(kind, source)
    made = prepared(saved(model, source, tmp_path / "source", shard), target)
    write_graft(made, tmp_path / "out")
    again = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "out").eval()
    ids = torch.tensor([target(TEXT)["input_ids"]])
    assert torch.equal(logits_of(again, ids), logits_of(in_memory(made).model, ids))
    bias, mix = model.final_logits_bias[0].numpy(), made.rows.provenance.mix
    for i in np.flatnonzero(mix.covered).tolist():
        row = mix[i : i + 1]
        assert again.final_logits_bias[0, i].item() == pytest.approx(float(bias[row.indices] @ row.weights), abs=1e-5)


def test_a_bias_that_is_zero_stays_zero_and_one_that_is_not_stored_is_written(tmp_path: Path) -> None:
    source, target = tiny_tokenizer("unigram"), tiny_tokenizer("unigram", "target")
    model = encoder_decoder("Bart", source)
    model.final_logits_bias.zero_()
    without = {name: tensor for name, tensor in model.state_dict().items() if name != LOGITS_BIAS}
    for name, state in (("stored", None), ("left out", without)):
        model.save_pretrained(tmp_path / name, state_dict=state)
        source.save_pretrained(tmp_path / name)
        write_graft(prepared(tmp_path / name, target), tmp_path / f"{name} out")
        again = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / f"{name} out")
        assert torch.equal(again.final_logits_bias, torch.zeros(1, len(target)))


def test_mbarts_language_codes_keep_their_rows_and_places_in_the_settings(tmp_path: Path) -> None:
    source = with_languages(tiny_tokenizer("unigram"), *LANGUAGES)
    target = with_languages(tiny_tokenizer("unigram", "target"), *reversed(LANGUAGES))
    code = {name: source.convert_tokens_to_ids(name) for name in LANGUAGES}
    model = encoder_decoder("MBart", source)
    model.config.decoder_start_token_id = code["qu_PE"]
    model.generation_config = GenerationConfig(
        forced_bos_token_id=code["ro_RO"], decoder_start_token_id=code["qu_PE"], num_beams=5, pad_token_id=1
    )
    made = prepared(saved(model, source, tmp_path / "source"), target)
    write_graft(made, tmp_path / "out")
    again = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "out")
    new = {name: target.convert_tokens_to_ids(name) for name in LANGUAGES}
    assert new != code
    assert again.config.decoder_start_token_id == new["qu_PE"]
    assert again.generation_config.forced_bos_token_id == new["ro_RO"]
    assert again.generation_config.num_beams == 5
    for name in LANGUAGES:
        assert torch.equal(again.model.shared.weight[new[name]], model.model.shared.weight[code[name]])
    assert made.rows.notes == ()


def test_a_language_code_without_a_place_is_left_out_with_a_note(tmp_path: Path) -> None:
    source, target = with_languages(tiny_tokenizer("unigram"), *LANGUAGES), tiny_tokenizer("unigram", "target")
    code = source.convert_tokens_to_ids("ro_RO")
    model = encoder_decoder("MBart", source)
    model.generation_config.forced_bos_token_id = code
    made = prepared(saved(model, source, tmp_path / "source"), target)
    assert made.skeleton.generation_config.forced_bos_token_id is None
    [note] = made.rows.notes
    assert note == (f"generation setting forced_bos_token_id: the new vocabulary has no place for {code} (ro_RO)")


def test_a_marian_model_with_a_vocabulary_for_each_side_is_refused(tmp_path: Path) -> None:
    source, target = tiny_tokenizer("unigram"), tiny_tokenizer("unigram", "target")
    model = encoder_decoder("Marian", source, share_encoder_decoder_embeddings=False, tie_word_embeddings=False)
    with pytest.raises(LexigraftError, match="MarianMTModel have a vocabulary of their own"):
        prepared(saved(model, source, tmp_path / "source"), target)


def test_the_frozen_model_adds_the_new_rows_biases_once() -> None:
    source = tiny_tokenizer("unigram")
    model = encoder_decoder("Bart", source)
    size, ids = len(source), torch.tensor([source(TEXT)["input_ids"]])
    frozen = FrozenModel.of(model, size - 1)
    own = {role: table[5:8].detach().clone() for role, table in tables_of(model).by_role.items()}
    given = {"ids": ids, "mask": torch.ones_like(ids), "decoder_ids": ids}
    expected = logits_of(model, ids)
    assert torch.allclose(frozen.logits(**given), expected[..., :-1], atol=1e-5)
    combined = frozen.logits(**given, rows=own)
    assert torch.allclose(combined, torch.cat([expected[..., :-1], expected[..., 5:8]], -1), atol=1e-5)
    tables_of(frozen_copy(model)).by_role[Role.BIAS].fill_(7)
    assert model.final_logits_bias.max() < 7


def test_debertas_head_that_transformers_does_not_find_is_refused(tmp_path: Path) -> None:
    from transformers import DebertaConfig, DebertaForMaskedLM

    source, target = tiny_tokenizer("wordpiece"), tiny_tokenizer("wordpiece", "target")
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    for legacy in (True, False):
        model = DebertaForMaskedLM(DebertaConfig(vocab_size=len(source), **shape, legacy=legacy))
        folder = saved(model, source, tmp_path / str(legacy))
        if legacy:
            assert set(prepared(folder, target).rows.tables) == {Role.INPUT, Role.BIAS}
        else:
            with pytest.raises(LexigraftError, match="not find it: DebertaForMaskedLM"):
                prepared(folder, target)

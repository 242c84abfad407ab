"""LangSAMP: vectors by hand, the loss with them, the plain model that is left, what it finds, and bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import ModernBertConfig, PreTrainedModel

from fixtures.adapting import SETTINGS, load
from lexigraft.adapters.training.adapt import adapt
from lexigraft.api.adapt import adapt as adapt_folder
from lexigraft.api.adapt import load_adapter
from lexigraft.core.config.recipe import AdaptSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.folder import write_model
from lexigraft.core.models.loading import load_model
from lexigraft.core.training.language_vectors import LanguageVectors, added_to_last_states
from lexigraft.core.training.objective import read_files, refuse_unsuitable
from lexigraft.core.training.packing import Unmarked
from lexigraft.plugins.objectives.langsamp import Langsamp
from lexigraft.testing.sample_text import SOURCE_TEXT

Given = dict[str, list[str]]
LINES = SOURCE_TEXT.splitlines()
HEADS = ["roberta-tied-bias", "bert-tied-bias"]


@pytest.fixture
def given(tmp_path: Path) -> Given:
    """English, in two files, is the training text's own lines; the other language shares no word with them."""
    texts = {"eng_Latn.txt": LINES[::2], "eng_Latn_more.txt": LINES[1::2], "qqq_Latn.txt": [x.upper() for x in LINES]}
    for name, lines in texts.items():
        (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    return {"texts": [str(tmp_path / name) for name in texts]}


def with_vectors(name: str, given: Given) -> tuple[PreTrainedModel, Langsamp, dict[str, torch.Tensor]]:
    """A model, the objective ready for it, and a batch; the vectors beside the model are drawn."""
    model, vocabulary = load(name)
    objective = Langsamp(language="swh_Latn", mask_share=0.4)
    ready = objective.prepared(objective.read(given), vocabulary, model.config, 32)
    text = ready.pack(vocabulary, LINES, 32)
    rows = torch.from_numpy(Unmarked.of(np.stack([text.at(n, 0) for n in range(6)])).ids)
    vectors = ready.beside(model.config)
    for parameter in vectors.parameters():
        parameter.data.normal_(generator=torch.Generator().manual_seed(parameter.numel()))
    model.eval().add_module("beside", vectors)
    return model, ready, ready.batch(rows, vocabulary, torch.Generator().manual_seed(1))


def test_vectors_and_cosines_by_hand() -> None:
    vectors = LanguageVectors(["swh_Latn", "eng_Latn", "hin_Deva"], 2)
    assert not vectors(torch.arange(3)).any()
    vectors.of_language.data = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, -2.0]])
    vectors.of_script.data = torch.tensor([[0.0, 3.0], [5.0, 0.0]])
    # swh + Latn = (1, 0) + (0, 3), hin + Deva = (0, -2) + (5, 0), eng + Latn = (1, 1) + (0, 3)
    assert vectors(torch.tensor([0, 2, 1])).tolist() == [[1, 3], [5, -2], [1, 4]]
    cosines = vectors.cosines()
    # swh and eng: 1 / (1 * sqrt 2) = 0.7071; swh and hin: 0; eng and hin: -2 / (sqrt 2 * 2) = -0.7071
    assert cosines["swh"] == pytest.approx({"eng": 0.7071, "hin": 0.0}, abs=1e-4)
    assert cosines["hin"] == pytest.approx({"swh": 0.0, "eng": -0.7071}, abs=1e-4)
    assert [list(others) for others in cosines.values()] == [["eng", "hin"], ["swh", "hin"], ["swh", "eng"]]


@pytest.mark.parametrize("name", HEADS)
def test_the_head_reads_the_last_states_plus_the_vectors(name: str, given: Given) -> None:
    model, ready, batch = with_vectors(name, given)
    states = model.base_model(input_ids=batch["input_ids"])[0]
    head = model.lm_head if hasattr(model, "lm_head") else model.cls
    logits = head(states + model.get_submodule("beside")(batch["languages"])[:, None])
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch["labels"].flatten())
    assert ready.loss(model, batch).item() == pytest.approx(expected.item(), abs=1e-5)
    for parameter in model.get_submodule("beside").parameters():
        parameter.data.zero_()
    plain = {key: rows for key, rows in batch.items() if key != "languages"}
    assert ready.loss(model, batch).item() == pytest.approx(model(**plain).loss.item(), abs=1e-5)


@pytest.mark.parametrize("name", HEADS)
def test_the_plain_model_predicts_the_training_language_as_with_vectors(name: str, given: Given) -> None:
    model, ready, batch = with_vectors(name, given)
    ids = batch["input_ids"]
    with (
        torch.no_grad(),
        added_to_last_states(model, model.get_submodule("beside")(torch.zeros(len(ids), dtype=torch.long))),
    ):
        promised = model(input_ids=ids).logits
    assert not torch.allclose(model(input_ids=ids).logits, promised, atol=0.1)
    ready.fold(model)
    torch.testing.assert_close(model(input_ids=ids).logits, promised, atol=1e-4, rtol=1e-4)


def test_rows_carry_their_language_and_texts_their_share(given: Given) -> None:
    model, vocabulary = load("roberta-tied-bias")
    objective = Langsamp(temperature=1e9)
    ready = objective.prepared(objective.read(given), vocabulary, model.config, 32)
    text = ready.pack(vocabulary, LINES, 32)
    rows = np.stack([text.at(n, 3) for n in range(9)])
    assert rows.shape == (9, 33)
    assert sorted(rows[:, 0]) == [0] * 3 + [1] * 3 + [2] * 3  # a third each, however long the texts are
    assert set(rows[:, 1]) == {vocabulary.specials["cls"]}
    shown = [vocabulary.tokenizer.decode(row[2:-1], skip_special_tokens=True) for row in rows]
    assert all((row[0] == 2) == (read == read.upper()) for row, read in zip(rows, shown, strict=True))


def test_adapt_leaves_a_plain_model_and_the_cosines(given: Given, tmp_path: Path) -> None:
    """A language with the training text's own lines is closer to it than one that shares no word with it."""
    (tmp_path / "model").mkdir()
    write_model(tmp_path / "model", *load("roberta-tied-bias"))
    (tmp_path / "text.txt").write_text(SOURCE_TEXT)
    changes = {"steps": 10, "batch_tokens": 6 * 32, "embeddings": "frozen", "body": "frozen", "learning_rate": 2e-2}
    options = {"objective": "langsamp", "objective_options": {"language": "swh_Latn"}, "objective_files": given}
    settings = AdaptSettings(**{**SETTINGS, **changes, **options})
    done = adapt_folder(
        str(tmp_path / "model"), [tmp_path / "text.txt"], out=tmp_path / "out", settings=settings, export="both"
    )
    assert set(done.tokens_by_text) == {"target", "eng_Latn", "qqq_Latn"}
    record = json.loads((tmp_path / "out" / "lexigraft.json").read_text())
    closest = record["language_cosines"]["swh"]
    assert list(closest) == ["eng", "qqq"]
    assert closest["eng"] > closest["qqq"] + 0.1
    before, after = (load_model(str(tmp_path / folder)) for folder in ("model", "out"))
    assert after.state_dict().keys() == before.state_dict().keys()
    assert not after.lm_head.dense.bias.equal(before.lm_head.dense.bias)
    ids = torch.arange(20, 40)[None]
    with_adapter = load_adapter(tmp_path / "out" / "adapter", str(tmp_path / "model"))
    torch.testing.assert_close(with_adapter(input_ids=ids).logits, after(input_ids=ids).logits)


def test_models_are_evaluated_as_they_would_be_written(given: Given) -> None:
    model, vocabulary = load("bert-tied-bias")
    objective, ids = Langsamp(), torch.arange(20, 40)[None]
    settings = AdaptSettings(**{**SETTINGS, "steps": 2, "body": "frozen"})
    seen: list[torch.Tensor] = []

    def look(step: int, live: PreTrainedModel) -> dict[str, float]:
        seen.append(live(input_ids=ids).logits.detach())
        return {}

    result = adapt(
        model, vocabulary, Corpus.of(LINES), settings, objective=objective, data=objective.read(given), on_step=look,
        eval_steps=[1, 2],
    )  # fmt: skip
    assert not hasattr(result.model, "beside")
    assert not torch.allclose(seen[0], seen[1], atol=1e-4)
    torch.testing.assert_close(result.model(input_ids=ids).logits, seen[1], atol=1e-5, rtol=1e-4)


def test_bad_input_is_refused(given: Given, tmp_path: Path) -> None:
    objective = Langsamp(language="swh_Latn")
    with pytest.raises(LexigraftError, match="objective langsamp needs more files: texts"):
        read_files(objective, {})
    for name in ("notes.txt", "english_Latn.txt", "eng_Latin.txt", "eng.txt"):
        with pytest.raises(LexigraftError, match=f"does not tell its language: .*{name}. Begin"):
            read_files(objective, {"texts": [str(tmp_path / name)]})
    with pytest.raises(LexigraftError, match="the training text is in this language: eng_Latn"):
        read_files(Langsamp(language="eng_Latn"), given)
    with pytest.raises(LexigraftError, match=r"que_Latn\.txt"):
        read_files(objective, {"texts": [str(tmp_path / "que_Latn.txt")]})
    with pytest.raises(LexigraftError, match="held-out"):
        read_files(objective, {"texts": given["texts"][:1]}, unseen=LINES)
    (tmp_path / "hin_Deva.txt").write_text("one\n")
    model, vocabulary = load("roberta-tied-bias")
    short = objective.prepared(
        objective.read({"texts": [str(tmp_path / "hin_Deva.txt")]}), vocabulary, model.config, 32
    )
    with pytest.raises(LexigraftError, match="text 'hin_Deva': the corpus is too small"):
        short.pack(vocabulary, LINES, 32)
    refuse_unsuitable(objective, model.config)
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    without = ModernBertConfig(architectures=["ModernBertForMaskedLM"], **small)
    with pytest.raises(LexigraftError, match="no layer with a bias that takes vectors over: ModernBertForMaskedLM"):
        refuse_unsuitable(objective, without)
    for wrong in ({"language": "swahili"}, {"temperature": 0.5}, {"mask_share": 1.0}):
        with pytest.raises(ValueError, match="must"):
            Langsamp(**wrong)

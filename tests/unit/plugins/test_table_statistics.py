"""Statistics of tables: worked by hand on tables that are set, known answers, and what can be said without context."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import PreTrainedModel

from lexigraft.adapters.training.peft_calls import expected_peft_warnings, merged
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, read_data
from lexigraft.core.evaluation.scores import Scores
from lexigraft.core.models.tables import Role, tables_of
from lexigraft.core.registry import make
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.plugins.evaluators.table_statistics import TableStatistics
from lexigraft.testing.sample_text import SOURCE_TEXT
from lexigraft.testing.tiny_models import fixture

DEFAULT = TableStatistics()
KINDS = ["roberta-tied-bias", "llama-untied", "llama-bf16", "mt5-untied", "roberta-padded"]


def loaded(name: str) -> tuple[PreTrainedModel, Vocabulary, np.ndarray]:
    """A model, its vocabulary, and the ids of tokens that are not special."""
    model, tokenizer, _ = fixture(name)
    vocabulary = Vocabulary.of(tokenizer)
    ids = [i for i, token in enumerate(vocabulary.tokens) if token and i not in vocabulary.special_ids]
    return model, vocabulary, np.array(ids)


def measured(
    model: PreTrainedModel,
    vocabulary: Vocabulary,
    text: Path | None = None,
    evaluator: TableStatistics | None = None,
    **known: object,
) -> Scores:
    evaluator = evaluator or TableStatistics()
    data = read_data(evaluator, {"text": [str(text)]} if text else {})
    return evaluator.evaluate(model, vocabulary, data, EvaluationContext(**known))  # type: ignore[arg-type]


def copies(model: PreTrainedModel) -> tuple[torch.Tensor, ...]:
    tables = tables_of(model).by_role
    return tuple(tables[role].detach().clone() for role in (Role.INPUT, Role.OUTPUT) if role in tables)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(SOURCE_TEXT.splitlines()[:5]), encoding="utf-8")
    return path


def test_norms_and_rows_out_of_range_are_those_of_rows_set_by_hand() -> None:
    model, vocabulary, ids = loaded("llama-untied")
    table = model.get_input_embeddings().weight
    new = ids[-4:]
    with torch.no_grad():
        # Copied rows have the lengths 1 and 2 in turn; the new ones 0.5, 1, 2 and 7: two of four lie outside 1 to 2.
        table[ids] = torch.nn.functional.normalize(table[ids], dim=1)
        table[ids[1:-4:2]] *= 2
        table[new] *= torch.tensor([[0.5], [1.0], [2.0], [7.0]])
    found = measured(model, vocabulary, new_ids=new)
    assert found.figures["input_new_norm_mean"] == pytest.approx(10.5 / 4)
    # Squares 0.25 + 1 + 4 + 49 = 54.25, over four 13.5625; less the squared mean 6.890625 = 6.671875.
    assert found.figures["input_new_norm_deviation"] == pytest.approx(6.671875**0.5)
    copied = np.where(np.arange(len(ids) - 4) % 2, 2.0, 1.0)
    assert found.figures["input_copied_norm_mean"] == pytest.approx(copied.mean())
    assert found.figures["input_copied_norm_deviation"] == pytest.approx(copied.std())
    assert found.figures["input_new_norm_outside"] == 0.5
    [note] = [note for note in found.notes if note.startswith("norms of input rows")]
    assert "2 of 4 new tokens lie outside the copied ones' range 1 to 2" in note
    # The farthest first: 7 is 5 above the range, 0.5 is 0.5 below it.
    worst, other = (repr(vocabulary.display(int(new[i]))) for i in (3, 0))
    assert note.endswith(f"farthest: {worst} 7, {other} 0.5")


@pytest.mark.parametrize("name", KINDS)
def test_untouched_rows_and_kept_neighbors_are_counted(name: str) -> None:
    model, vocabulary, ids = loaded(name)
    start, new = copies(model), ids[10:30]
    same = measured(model, vocabulary, new_ids=new, start_rows=start)
    roles = ["input", "output"][: len(start)]
    for role in roles:
        assert same.figures[f"{role}_untouched"] == same.figures[f"{role}_new_untouched"] == 1
        assert same.figures[f"{role}_new_neighbors_kept"] == 1
    with torch.no_grad():
        # Five of the twenty new rows are trained.
        for role in (Role.INPUT, Role.OUTPUT)[: len(start)]:
            tables_of(model).by_role[role][ids[10:15]] *= -1
    trained = measured(model, vocabulary, new_ids=new, start_rows=start)
    for role in roles:
        assert trained.figures[f"{role}_new_untouched"] == 0.75
        assert trained.figures[f"{role}_untouched"] == pytest.approx(1 - 5 / len(ids))
        assert trained.figures[f"{role}_new_neighbors_kept"] < 1


def test_kept_neighbors_are_the_overlap_worked_out_by_hand() -> None:
    model, vocabulary, ids = loaded("llama-untied")
    table = model.get_input_embeddings().weight
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        table[ids] = torch.randn(len(ids), table.shape[1], generator=generator)
        table[:, 0] = 0
        table[:, 1] = 0
        # Before training the new row points to its nearest neighbor a, and b is near a; after it, to b and another row.
        new, a, b = ids[0], ids[1], ids[2]
        for i, (x, y) in {new: (1.0, 0.1), a: (1.0, 0.0), b: (1.0, -0.1)}.items():
            table[i] = 0
            table[i, 0], table[i, 1] = x, y
        start = copies(model)
        table[a] = 0
        table[a, 0] = -1
    found = measured(model, vocabulary, None, TableStatistics(neighbors=2), new_ids=np.array([new]), start_rows=start)
    # Of {a, b} before, only b is left of {b, any row at a right angle} after.
    assert found.figures["input_new_neighbors_kept"] == 0.5


@pytest.mark.parametrize("name", [*KINDS, "bert-tied-bias", "gpt2-tied", "gemma-scaled", "t5-tied"])
def test_a_new_token_that_every_position_likes_is_found(name: str, text: Path) -> None:
    model, vocabulary, ids = loaded(name)
    new = ids[20:30]
    before = measured(model, vocabulary, text, new_ids=new)
    head = model.get_output_embeddings()
    hook = head.register_forward_hook(
        lambda layer, inputs, logits: logits.index_fill(-1, torch.tensor([int(ids[25])]), 1e4)
    )
    found = measured(model, vocabulary, text, new_ids=new)
    hook.remove()
    [note] = [note for note in found.notes if note.startswith("mean logits")]
    assert f"farthest: {vocabulary.display(int(ids[25]))!r} " in note
    assert found.figures["new_logit_outside"] >= max(0.1, before.figures["new_logit_outside"])


def test_mean_logits_are_the_models_own_over_the_text(text: Path) -> None:
    model, vocabulary, ids = loaded("llama-untied")
    lines = text.read_text(encoding="utf-8").splitlines()
    sums, count = torch.zeros(len(vocabulary.tokens)), 0
    for line in lines:
        tokens = [vocabulary.specials["bos"], *vocabulary.encode([line])[0]][:-1][:64]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([tokens])).logits[0]
        sums, count = sums + logits.sum(0), count + len(logits)
    means = (sums / count).numpy()
    # The new tokens are the ten of the highest mean: all lie above every other token.
    new = ids[np.argsort(means[ids])[-10:]]
    found = measured(model, vocabulary, text, new_ids=new)
    assert found.figures["new_logit_outside"] == 1
    [note] = [note for note in found.notes if note.startswith("mean logits")]
    low, high = (means[np.setdiff1d(ids, new)].min(), means[np.setdiff1d(ids, new)].max())
    assert f"range {low:.3g} to {high:.3g}; farthest: {vocabulary.display(int(new[-1]))!r} {means[new[-1]]:.3g}" in note


@pytest.mark.parametrize("name", KINDS)
def test_without_context_only_what_the_tables_show_is_said(name: str, text: Path) -> None:
    model, vocabulary, _ = loaded(name)
    roles = ["input", "output"] if Role.OUTPUT in tables_of(model).by_role else ["input"]
    shapes = ("isotropy", "mean_cosine", "norm_mean", "norm_deviation")
    for given in (None, text):
        found = measured(model, vocabulary, given)
        assert list(found.figures) == [f"{role}_{shape}" for role in roles for shape in shapes]
        assert len(found.notes) == (given is not None)
        assert all(np.isfinite(list(found.figures.values())))


def test_special_tokens_do_not_count() -> None:
    model, vocabulary, ids = loaded("roberta-tied-bias")
    before = measured(model, vocabulary, new_ids=ids[:5]).figures
    with torch.no_grad():
        model.get_input_embeddings().weight[sorted(vocabulary.special_ids)] *= 100
    assert measured(model, vocabulary, new_ids=np.array([*vocabulary.special_ids, *ids[:5]])).figures == before


def test_new_tokens_that_the_training_text_never_holds_are_counted() -> None:
    model, vocabulary, ids = loaded("llama-untied")
    counts = np.zeros(vocabulary.size, np.int64)
    counts[ids[:3]] = 7
    assert measured(model, vocabulary, new_ids=ids[:4], token_counts=counts).figures["new_unseen"] == 0.25


def test_all_rows_new_leaves_nothing_to_compare_them_with(text: Path) -> None:
    model, vocabulary, ids = loaded("llama-untied")
    found = measured(model, vocabulary, text, new_ids=ids, start_rows=copies(model)).figures
    assert not [name for name in found if "outside" in name or "copied" in name]
    assert found["input_new_untouched"] == 1


def test_neighbors_of_many_new_rows_are_drawn_with_the_seed_alone() -> None:
    model, vocabulary, ids = loaded("llama-untied")
    start = copies(model)
    with torch.no_grad():
        model.get_input_embeddings().weight[ids[:60:2]] *= -1
    few = TableStatistics(queries=7)
    state = np.random.get_state()[1].tolist(), torch.random.get_rng_state()  # noqa: NPY002
    by_seed = [
        measured(model, vocabulary, None, few, seed=seed, new_ids=ids[:60], start_rows=start).figures
        for seed in (0, 0, 1, 2, 3)
    ]
    assert by_seed[0] == by_seed[1]
    assert len({figures["input_new_neighbors_kept"] for figures in by_seed}) > 1
    assert state[0] == np.random.get_state()[1].tolist()  # noqa: NPY002
    assert torch.equal(state[1], torch.random.get_rng_state())


def test_lora_on_the_table_that_is_not_merged_yet_counts_as_training(text: Path) -> None:
    model, vocabulary, ids = loaded("llama-untied")
    start = copies(model)
    model.train()
    with expected_peft_warnings():
        wrapped = get_peft_model(model, LoraConfig(r=2, target_modules=["embed_tokens"]))
    layer = model.get_input_embeddings()
    untrained = measured(model, vocabulary, text, new_ids=ids[:9], start_rows=start).figures
    assert untrained["input_untouched"] == 1
    with torch.no_grad():
        for weights in (*layer.lora_embedding_A.values(), *layer.lora_embedding_B.values()):
            weights.copy_(torch.randn(weights.shape, generator=torch.Generator().manual_seed(1)))
    during = measured(model, vocabulary, text, new_ids=ids[:9], start_rows=start).figures
    assert during["input_untouched"] == during["input_new_untouched"] == 0
    assert model.training
    after = measured(merged(wrapped), vocabulary, text, new_ids=ids[:9], start_rows=start).figures
    assert during == pytest.approx(after, rel=1e-4)


def test_what_cannot_be_described_is_refused() -> None:
    model, vocabulary, ids = loaded("llama-untied")
    small = torch.nn.Embedding(int(ids[-1]), 4)
    model.set_input_embeddings(small)
    with pytest.raises(LexigraftError, match=rf"no tables to describe.*has {ids[-1]} rows"):
        measured(model, vocabulary)
    with pytest.raises(LexigraftError, match="neighbors must be at least 1"):
        make("evaluator", "table_statistics", {"neighbors": 0})

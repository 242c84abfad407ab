"""Token distillation and attention matching: by hand, and against two separately built models."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from fixtures.idle_models import idle_llama
from fixtures.small_worlds import context, words
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.resources import Resources
from lexigraft.core.grafting.rows import build_rows
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.methods.distillation import TwoReadings, padded
from lexigraft.core.methods.new_token_loss import prediction
from lexigraft.core.methods.occurrences import Snippet, frame, whole_pieces
from lexigraft.core.methods.starting_rows import StartingRows
from lexigraft.core.models.attention_capture import capture_attention
from lexigraft.core.models.frozen_model import FrozenModel
from lexigraft.core.models.tables import Role
from lexigraft.core.registry import discover, make
from lexigraft.plugins.strategies import attention_matching, token_distillation
from lexigraft.testing.contract import FIXTURE_NAMES, cached_fixture
from lexigraft.testing.inputs import Fixture
from lexigraft.testing.sample_text import TARGET_TEXT
from lexigraft.testing.trial import Trial

pytestmark = pytest.mark.usefixtures("one_thread")
SOURCE = words("sun", "moon", "##s", "the")
TARGET = words("sun", "moon", "##s", "the", "suns", "moons", "stars")
SUN, MOON, S, THE = 2, 3, 4, 5
SUNS, MOONS, STARS = 6, 7, 8
#        [PAD]   [UNK]   sun     moon    ##s     the
TABLE = [[9, 9], [7, 7], [2, 0], [1, 1], [0, 2], [1, -1]]
HAND = {"batch_size": 1, "learning_rate": 0.1, "max_steps": 80, "epochs": 80}


def two_idle_layers() -> torch.nn.Module:
    return idle_llama(TABLE, layers=2)


def hand_context(model: torch.nn.Module, *lines: str) -> InitContext:
    supplies = {Need.MODEL: model, Need.TRAINING: Corpus.of(lines)}
    return context(SOURCE, TARGET, {Role.INPUT: TABLE}, supplies)


def input_rows(strategy: Strategy, ctx: InitContext) -> torch.Tensor:
    return build_rows([strategy], ctx).tables[Role.INPUT]


def lesson_of(strategy: Strategy, ctx: InitContext) -> Any:
    module = {"token_distillation": token_distillation, "attention_matching": attention_matching}[strategy.name]
    frozen = FrozenModel.of(ctx.resources.model(), ctx.source.size)
    return module._Training(strategy, ctx, frozen, StartingRows.of(strategy.start, ctx))


def test_the_distance_of_the_hidden_states_by_hand() -> None:
    # "suns" = sun ##s starts as the mean of [2, 0] and [0, 2], [1, 1]. States are rows over their root mean square:
    # student [1, 1]; teacher, at the last piece, [0, 2] / sqrt(2) = [0, sqrt 2]. Squared distance:
    # 1 + (sqrt 2 - 1)² = 4 - 2 sqrt 2. "the" behind it is the same for both, so the mean over the two places is half.
    ctx = hand_context(two_idle_layers(), "suns the")
    lesson = lesson_of(make("strategy", "token_distillation", {"target_layer": -1}), ctx)
    (snippet,) = lesson._snippets(["suns the"])
    assert snippet.ids == (SUN, S, THE)
    assert lesson._gap([snippet]).item() == pytest.approx((4 - 2 * math.sqrt(2)) / 2, abs=1e-5)


def test_where_layers_add_nothing_a_token_becomes_its_last_piece() -> None:
    # Both tokens end in ##s, whose direction is [0, 1]; "stars" is not spelled by any pieces and has no row to start
    # from, so it stays uncovered; the matched rows stay bit for bit.
    found = input_rows(make("strategy", "token_distillation", HAND), hand_context(two_idle_layers(), "suns moons"))
    for token in (SUNS, MOONS):
        torch.testing.assert_close(found[token] / found[token].norm(), torch.tensor([0.0, 1.0]), atol=2e-2, rtol=0)
    assert torch.equal(found[:6], torch.tensor(TABLE, dtype=torch.float32))


def test_tokens_without_an_occurrence_keep_the_row_they_start_from() -> None:
    # The authors' code drops tokens with too few snippets from the vocabulary; here "moons" stays the mean of
    # [1, 1] and [0, 2], "suns" is learned from its only occurrence.
    rows = build_rows([make("strategy", "token_distillation", HAND)], hand_context(two_idle_layers(), "the suns"))
    torch.testing.assert_close(rows.tables[Role.INPUT][MOONS], torch.tensor([0.5, 1.5]))
    assert not torch.equal(rows.tables[Role.INPUT][SUNS], torch.tensor([1.0, 1.0]))
    assert [rows.provenance.rules[i] for i in (SUNS, MOONS, STARS)] == ["token_distillation"] * 2 + ["fallback"]
    (note,) = rows.notes
    assert "1 snippets, 80 steps" in note
    # One text of 3 pieces and 2 tokens in each of the 80 steps, and once before and after.
    assert rows.counts["learned_tokens"] == 82 * 5


def test_a_token_of_one_piece_takes_that_pieces_row() -> None:
    # "SUN" reads as "sun" under a source tokenizer that lowers case; from any start, that row is the exact solution.
    from tokenizers import normalizers

    source = words("sun", "moon", "##s", "the")
    source.tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    target = words("SUN", "the")
    supplies = {Need.MODEL: two_idle_layers(), Need.TRAINING: Corpus.of(["the SUN"])}
    ctx = context(source, target, {Role.INPUT: TABLE}, supplies)
    found = input_rows(make("strategy", "token_distillation", {"start": "mean"}), ctx)
    assert found[2].tolist() == [2, 0]


# --- against two models -----------------------------------------------------------------------------------------------


def with_rows(where: Fixture, rows: dict[Role, torch.Tensor]) -> torch.nn.Module:
    """A model of its own, float32, with the given rows behind the source tokenizer's."""
    model, size = copy.deepcopy(where.model).float(), where.source.size
    model.resize_token_embeddings(size + len(rows[Role.INPUT]), mean_resizing=False)
    with torch.no_grad():
        model.get_input_embeddings().weight[size:] = rows[Role.INPUT]
    return model.eval()


def reader(model: torch.nn.Module) -> torch.nn.Module:
    return model.get_encoder() if model.config.is_encoder_decoder else model.base_model


@pytest.mark.parametrize("name", FIXTURE_NAMES)
@pytest.mark.parametrize("layer", [-1, 1])
def test_the_loss_is_that_of_two_separately_built_models(name: str, layer: int) -> None:
    where = cached_fixture(name)
    strategy = make("strategy", "token_distillation", {"target_layer": layer})
    trial = Trial(discover("strategy")["token_distillation"], strategy, where)
    lesson = lesson_of(strategy, trial.context())
    snippets = lesson._snippets(TARGET_TEXT.splitlines())[:6]
    teacher = reader(copy.deepcopy(where.model).float().eval())
    student = reader(with_rows(where, {r: t.detach() for r, t in lesson.rows.items()}))
    before, behind = frame(where.source)
    causal = "llama" in name or "gpt2" in name or "gemma" in name
    distances: list[float] = []
    for snippet in snippets:
        ids, at, places = [*before], 0, list(range(len(before)))
        for start, end, pattern in snippet.found:
            kept = range(at, start)
            ids += [*(snippet.ids[n] for n in kept), where.source.size + pattern]
            places += [*(len(before) + n for n in kept), len(before) + end - 1]
            at = end
        rest = range(at, len(snippet.ids) + len(behind))
        ids += [*snippet.ids[at:], *behind]
        places += [len(before) + n for n in rest]
        long = torch.tensor([[*before, *snippet.ids, *behind]])
        with torch.no_grad():
            wanted = teacher(input_ids=long, output_hidden_states=True).hidden_states[layer][0]
            found = student(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states[layer][0]
        first = next(n for n, i in enumerate(ids) if i >= where.source.size) if causal else 0
        distances += (wanted[places[first:]] - found[first:]).square().sum(1).tolist()
    assert lesson._gap(snippets).item() == pytest.approx(float(np.mean(distances)), rel=1e-5)


@pytest.mark.parametrize("name", ["llama-untied", "llama-tied", "llama-bf16", "gemma-scaled"])
@pytest.mark.parametrize("match", ["aim", "aim_star"])
def test_influence_is_that_of_two_separately_built_models(name: str, match: str) -> None:
    """Weights from output_attentions, values from a hook on v_proj, sums in plain loops; grouped heads included."""
    where = cached_fixture(name)
    strategy = make("strategy", "attention_matching", {"match": match, "layers": 1.0})
    trial = Trial(discover("strategy")["attention_matching"], strategy, where)
    lesson = lesson_of(strategy, trial.context())
    texts = lesson._read(TARGET_TEXT.splitlines()[:3])
    rows = {r: t.detach() for r, t in lesson.rows.items()}
    models = copy.deepcopy(where.model).float().eval(), with_rows(where, rows)
    gaps = []
    for text in texts:
        for teacher, student in zip(*(attentions(m, r) for m, r in zip(models, text[:2], strict=True)), strict=True):
            total, pairs = 0.0, 0
            for j in range(text.segments):
                vectors = [plain_influence(a, r, j, text.segments) for a, r in ((teacher, text[0]), (student, text[1]))]
                if match == "aim_star":
                    vectors = [v.sum(1, keepdim=True) for v in vectors]
                pairs += j + 1 if match == "aim" else 1
                total += float((vectors[0] - vectors[1]).square().sum())
            gaps.append(total / (2 * pairs))
    with capture_attention(where.model) as seen:
        assert lesson._gap(texts, seen).item() == pytest.approx(float(np.mean(gaps)), rel=1e-4)


def attentions(model: Any, reading: Any) -> list[tuple[torch.Tensor, torch.Tensor]]:
    values: list[torch.Tensor] = []
    hooks = [
        layer.self_attn.v_proj.register_forward_hook(lambda _m, _a, out: values.append(out[0]))
        for layer in model.model.layers
    ]
    model.set_attn_implementation("eager")
    with torch.no_grad():
        weights = model.model(input_ids=torch.tensor([reading.ids]), output_attentions=True).attentions
    for hook in hooks:
        hook.remove()
    return [(w[0], v) for w, v in zip(weights, values, strict=True)]


def plain_influence(attention: tuple[torch.Tensor, torch.Tensor], reading: Any, j: int, segments: int) -> torch.Tensor:
    """(heads, segments, width); both heads share the one value head."""
    weights, values = attention
    last = max(n for n, s in enumerate(reading.segments) if s == j)
    found = torch.zeros(len(weights), segments, values.shape[1])
    for head in range(len(weights)):
        for t, segment in enumerate(reading.segments):
            found[head, segment] += weights[head, last, t] * values[t]
    return found


# --- learning ---------------------------------------------------------------------------------------------------------

LONGER = {
    "token_distillation": {"epochs": 4, "learning_rate": 2e-2},
    "attention_matching": {"epochs": 4, "learning_rate": 2e-2, "layers": 1.0},
}


@pytest.mark.parametrize("name", FIXTURE_NAMES)
@pytest.mark.parametrize("strategy", LONGER)
def test_learning_brings_the_student_nearer_to_the_teacher(strategy: str, name: str) -> None:
    rows = build_rows([made := make("strategy", strategy, LONGER[strategy])], trial_context(made, name))
    (note,) = rows.notes
    after, before = (float(part.split()[-1]) for part in (note.split(" (squared")[0], note.split(" with the rows")[0]))
    assert after < 0.9 * before


def trial_context(strategy: Strategy, name: str) -> InitContext:
    return Trial(discover("strategy")[strategy.name], strategy, cached_fixture(name)).context()


def entropy_of(lesson: Any, batch: Any, output: torch.Tensor) -> float:
    """How well the student predicts a batch with the lesson's present input rows and some output rows."""
    if isinstance(batch[0], Snippet):
        ids, mask = TwoReadings.of(batch, lesson.frozen.size, lesson.frame, both_ways=True).student
    else:
        ids, mask = padded([text.student.ids for text in batch])
    task = prediction(lesson.frozen, ids, mask, lesson.ctx.source, torch.Generator().manual_seed(0))
    with torch.no_grad():
        return task.loss(lesson.frozen, {**lesson.rows, Role.OUTPUT: output}).item()


@pytest.mark.parametrize("name", ["llama-untied", "mt5-untied"])
@pytest.mark.parametrize("strategy", LONGER)
def test_a_learned_head_predicts_better_and_input_rows_do_not_learn_from_it(strategy: str, name: str) -> None:
    made = make("strategy", strategy, {**LONGER[strategy], "head": "learned"})
    lesson = lesson_of(made, trial_context(made, name))
    batch = getattr(lesson, "_snippets" if strategy == "token_distillation" else "_texts")(TARGET_TEXT.splitlines())[:8]
    with capture_attention(lesson.frozen.model) as seen:
        also = [] if strategy == "token_distillation" else [seen]
        gap, loss = lesson._gap(batch, *also), lesson._loss(batch, *also)
        leaf = (lesson.rows if strategy == "token_distillation" else lesson.leaves)[Role.INPUT]
        assert torch.equal(torch.autograd.grad(gap, leaf)[0], torch.autograd.grad(loss, leaf)[0])
    before = lesson.rows[Role.OUTPUT].detach().clone()
    plan = lesson.plan()
    if name == "llama-untied":  # mT5 writes one token of each text: too few to see it on others
        assert entropy_of(lesson, batch, lesson.rows[Role.OUTPUT]) < entropy_of(lesson, batch, before) - 0.1
    asked = len(lesson.ctx.target_ids)
    moved = (plan[Role.OUTPUT].rows != lesson.start.rows[Role.OUTPUT][:asked]).any(dim=1)
    assert 0 < moved.sum() < asked


@pytest.mark.parametrize("name", ["llama-tied", "roberta-tied-bias", "t5-tied"])
@pytest.mark.parametrize("strategy", LONGER)
def test_prediction_can_join_the_loss(strategy: str, name: str) -> None:
    plain, joined = (make("strategy", strategy, {"next_token": n}) for n in ("none", "auto"))
    one, two = (build_rows([s], trial_context(s, name)) for s in (plain, joined))
    assert not torch.equal(one.tables[Role.INPUT], two.tables[Role.INPUT])
    assert two.tables[Role.INPUT].isfinite().all()
    assert two.counts["learned_tokens"] >= one.counts["learned_tokens"]


@pytest.mark.parametrize("strategy", LONGER)
def test_the_order_of_asking_changes_nothing(strategy: str) -> None:
    # The law can compare coverage only, since what is learned depends on the seed.
    made, name = make("strategy", strategy, {"head": "learned"}), "llama-untied"
    ctx = trial_context(made, name)
    order = np.random.default_rng(0).permutation(len(ctx.target_ids))
    one, two = made.plan(ctx), made.plan(replace(trial_context(made, name), target_ids=ctx.target_ids[order]))
    for role in ctx.roles:
        assert torch.equal(one[role].rows[torch.from_numpy(order)], two[role].rows)
        assert np.array_equal(one[role].covered[order], two[role].covered)


@pytest.mark.parametrize("strategy", LONGER)
def test_no_steps_leave_the_start_and_the_start_may_be_any_strategy(strategy: str) -> None:
    still = make("strategy", strategy, {"max_steps": 0, "start": "focus, subword_mean"})
    assert still.required_needs() == {Need.MODEL, Need.TRAINING, Need.TARGET_VECTORS}
    where = cached_fixture("gpt2-tied")
    ctx = trial_context(still, "gpt2-tied")
    ctx = replace(ctx, resources=Resources(still.required_needs(), where.loaders))
    wanted = build_rows([make("strategy", "focus"), make("strategy", "subword_mean")], ctx)
    found = build_rows([still], trial_context(still, "gpt2-tied"))
    covered = [n for n, rule in enumerate(wanted.provenance.rules) if rule in ("focus", "subword_mean")]
    spelled = [
        whole_pieces(where.source, where.target.surfaces.texts[i], bool(where.target.starts[i])) for i in covered
    ]
    kept = [
        i for i, pieces in zip(covered, spelled, strict=True) if strategy != "token_distillation" or len(pieces) > 1
    ]
    torch.testing.assert_close(found.tables[Role.INPUT][kept], wanted.tables[Role.INPUT][kept])


@pytest.mark.parametrize(
    ("strategy", "fields"),
    [
        ("token_distillation", {"target_layer": 0}),
        ("token_distillation", {"learning_rate": 0}),
        ("token_distillation", {"snippet_length": 0}),
        ("token_distillation", {"start": " "}),
        ("attention_matching", {"layers": 1.5}),
        ("attention_matching", {"batch_size": 0}),
    ],
)
def test_impossible_fields_are_refused(strategy: str, fields: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"must be"):
        make("strategy", strategy, fields)


def test_output_rows_start_from_the_output_table_not_from_the_input_table() -> None:
    # The authors' code averages INPUT rows for the head of an untied model.
    where = cached_fixture("llama-untied")
    trial = Trial(discover("strategy")["token_distillation"], make("strategy", "token_distillation"), where)
    start = build_rows([make("strategy", "subword_mean")], trial.context())
    covered = [n for n, rule in enumerate(start.provenance.rules) if rule == "subword_mean"]
    found = trial.rows.tables
    assert torch.equal(found[Role.OUTPUT][covered], start.tables[Role.OUTPUT][covered])
    assert not torch.equal(found[Role.INPUT][covered], start.tables[Role.INPUT][covered])

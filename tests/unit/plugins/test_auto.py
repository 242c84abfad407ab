"""`auto`: the choice on made figures, the rows it hands on, and the whole way with real adaptations of a tiny model."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fixtures.commands import lexigraft
from fixtures.recipes import tiny_recipe
from fixtures.small_worlds import context, vectors, words
from lexigraft.api.compare.inputs import load_texts, strategy_inputs
from lexigraft.api.compare.run import compare
from lexigraft.api.inputs import StrategyInputs
from lexigraft.api.probe import ModelProbe, ProbeSettings, hold_out, shortened
from lexigraft.core.config.adaptation import AdaptSettings, Phase
from lexigraft.core.config.recipe_files import read_recipe
from lexigraft.core.data.corpus import Corpus, load_corpus
from lexigraft.core.errors import LexigraftError, UnknownName
from lexigraft.core.grafting.chains import plan_of_chain
from lexigraft.core.grafting.folder import read_provenance
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Mix
from lexigraft.core.grafting.resources import ProbeRun, Watch
from lexigraft.core.grafting.rows import build_rows
from lexigraft.core.grafting.strategy import InitContext, Strategy, uses_of
from lexigraft.core.methods.early_stopped_trials import EarlyStoppedTrials
from lexigraft.core.models.loading import load_model
from lexigraft.core.models.tables import Role, tables_of
from lexigraft.core.registry import PluginSpec, make
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.testing.tiny_models import fixture

SOURCE = words("sun", "moon", "star", "##s")
TARGET = words("sun", "moon", "star", "inti", "suns", "killa")
TABLE = [[0, 1], [2, 0], [1, 2], [3, -1], [0, 5], [6, -1]]
VECTORS = vectors(TARGET.size, {2: [1, 0, 0], 3: [0, 2, 0], 4: [0, 0, 5], 5: [8, 6, 0]})
SIZES = np.array([10, 20, 30])


@dataclass(frozen=True)
class MadeProbe:
    """Made bits of three lines for each chain, or for each of its looks and the end; 100 tokens a step."""

    figures: Mapping[str, Any]
    tried: list[str] = field(default_factory=list)
    adaptation_steps: int = 0
    batch_tokens: int = 1000

    def __call__(
        self,
        chain: Sequence[PluginSpec],
        *,
        steps: int,
        seed: int,
        batch_tokens: int | None = None,
        watch: Watch,
        looks: Collection[int],
    ) -> ProbeRun:
        names = ",".join(name for name, _ in chain)
        self.tried.append(f"{names} {steps} {seed} {batch_tokens}")
        if names not in self.figures:
            raise LexigraftError("does not run", names)
        bits = np.array(self.figures[names], np.float64)
        curve = np.broadcast_to(bits, (len(looks) + 1, 3))
        for step, here in zip(looks, curve, strict=False):
            if not watch(step, here):
                return ProbeRun(here, SIZES, 100 * step)
        return ProbeRun(curve[-1], SIZES, 100 * steps)


def asked(
    figures: Mapping[str, Any], tried: list[str] | None = None, static: bool = True, adaptation: int = 0
) -> InitContext:
    supplies: dict[Need, Any] = {Need.PROBE: MadeProbe(figures, [] if tried is None else tried, adaptation)}
    return context(SOURCE, TARGET, {Role.INPUT: TABLE}, supplies | ({Need.TARGET_VECTORS: VECTORS} if static else {}))


def auto(*candidates: str, **fields: Any) -> Strategy:
    strategy: Strategy = make("strategy", "auto", {"candidates": candidates, **fields})
    return strategy


def test_the_best_is_taken_and_its_gap_to_the_runner_up_said() -> None:
    tried: list[str] = []
    figures = {"focus": [20, 41, 60], "subword_mean": [23, 41, 60], "mean": [20, 47, 60]}
    ctx = asked(figures, tried)
    rows = build_rows([auto("mean", "subword_mean", "focus", steps=7)], ctx)
    # (121, 124, 127) / 60; differences to the second 3, 0, 0 of 10, 20, 30 bytes: ratio 0.05, residuals 2.5, -1, -1.5,
    # squares 9.5: variance 3/2 * 9.5 / 3600 = 0.00395833, half width 4.3027 * 0.0629153 = 0.27070.
    assert rows.notes == (
        "auto chose focus: 2.017 bits per byte after 7 steps, 0.050 ± 0.271 below subword_mean (not told apart)",
        "auto also tried mean (2.117)",
    )
    assert rows.counts["learned_tokens"] == 3 * 700
    assert [t.split()[:2] for t in tried] == [["mean", "7"], ["subword_mean", "7"], ["focus", "7"]]
    assert rows.provenance.rules[5:] == ("auto", "fallback", "fallback")


def test_a_trial_ends_that_would_end_clearly_above_the_best_one() -> None:
    # Looks at 8 and 16 of 32. Straight on, focus would end at 15, 30, 45 bits and subword_mean at 30, 57, 95: 15, 27,
    # 50 above, of 10, 20, 30 bytes: ratio 92/60, residuals -1/3, -11/3, 4, squares 29.556: variance 3/2 * 29.556 / 3600
    # = 0.0123, half width 4.3027 * 0.1110 = 0.477. The note has the gap at 16: 9, 15, 28: 52/60, residuals 1/3, -7/3,
    # 2, squares 9.5556: variance 0.0039815, half width 4.3027 * 0.063099 = 0.2715.
    figures = {
        "focus": [[30, 60, 90], [25, 50, 75], [20, 41, 60]],
        "subword_mean": [[36, 69, 107], [34, 65, 103], [0, 0, 0]],
    }
    rows = build_rows([auto("focus", "subword_mean", steps=32)], asked(figures))
    assert rows.notes == (
        "auto chose focus: 2.017 bits per byte after 32 steps, 0.867 ± 0.271 below subword_mean after 16",
        "auto ended trials early: subword_mean after 16 (0.867 ± 0.271 above)",
    )
    assert rows.counts["learned_tokens"] == 3200 + 1600


def test_a_trial_that_catches_up_goes_on_and_may_win() -> None:
    # mean is 15, 30, 45 bits above at 8 and 10, 20, 30 at 16, clearly, but straight on it would be level at 32. It ends
    # at 119/60; focus is 0, 1, 1 above: ratio 1/30, residuals -1/3, 1/3, 0, squares 2/9: variance 3/2 * 2/9 / 3600 =
    # 0.0000926, half width 4.3027 * 0.0096225 = 0.0414.
    figures = {
        "focus": [[30, 60, 90], [25, 50, 75], [20, 41, 60]],
        "mean": [[45, 90, 135], [35, 70, 105], [20, 40, 59]],
    }
    rows = build_rows([auto("focus", "mean", steps=32)], asked(figures))
    assert rows.notes == (
        "auto chose mean: 1.983 bits per byte after 32 steps, 0.033 ± 0.041 below focus (not told apart)",
    )
    assert rows.counts["learned_tokens"] == 3200 + 3200
    ends = {"focus": [20, 41, 60], "mean": [90, 90, 90]}
    short = build_rows([auto("focus", "mean", steps=31)], asked(ends))
    assert short.counts["learned_tokens"] == 3100 + 3100, "a quarter would be before step 8: no looks"


def test_losers_are_compared_with_the_winner() -> None:
    # subword_mean is ended by mean, which zero overtakes: straight on, zero would end 2 bits below to 3 above mean. The
    # note has subword_mean's gap to zero at 16: 13, 27, 41 in 60 bytes.
    figures = {
        "mean": [[30, 60, 90], [25, 50, 75], [25, 50, 75]],
        "subword_mean": [[40, 81, 120], [38, 78, 116], [0, 0, 0]],
        "zero": [[31, 60, 89], [25, 51, 75], [20, 40, 60]],
    }
    rows = build_rows([auto("mean", "subword_mean", "zero", steps=32)], asked(figures))
    assert rows.notes[0] == "auto chose zero: 2.000 bits per byte after 32 steps, 0.500 ± 0.000 below mean"
    assert rows.notes[1].startswith("auto ended trials early: subword_mean after 16 (1.350 ± ")


@pytest.mark.parametrize(
    ("adaptation", "candidates", "fields", "steps", "batch"),
    [
        (200, 2, {}, 50, 400),  # 0.2 * 200 * 1000 / 2 = 20,000 tokens
        (200, 3, {}, 50, 266),
        (20, 3, {}, 20, 64),  # 1,333 tokens: 26 a step would be too few
        (20, 3, {"smallest_batch": 100}, 13, 100),
        (5, 3, {"share": 0.1, "seeds": 2}, 8, 64),  # 83 tokens: 1 step, but never fewer than 8
        (10_000, 3, {}, 50, 1000),
        (10_000, 3, {"steps": 2}, 2, 1000),
        (0, 3, {}, 50, 1000),  # its length is not known
    ],
)
def test_all_trials_together_are_a_share_of_the_adaptation(
    adaptation: int, candidates: int, fields: dict[str, Any], steps: int, batch: int
) -> None:
    names = ("mean", "zero", "random")[:candidates]
    tried: list[str] = []
    build_rows([auto(*names, **fields)], asked({name: [1, 2, 3] for name in names}, tried, adaptation=adaptation))
    assert {(t.split()[1], t.split()[3]) for t in tried} == {(str(steps), str(batch))}


def test_candidates_have_fields_in_brackets() -> None:
    ctx = asked({"focus,mean": [1, 1, 1]})
    rows = build_rows([auto("focus[temperature=0.1, weights=entmax15],mean", "zero")], ctx)
    plain = [make("strategy", "focus", {"temperature": 0.1, "weights": "entmax15"}), make("strategy", "mean")]
    wanted = build_rows(plain, replace(ctx, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(rows.tables[Role.INPUT], wanted.tables[Role.INPUT])
    assert auto("ramen", "ramen[align=dictionary]").optional_needs() > auto("ramen", "mean").optional_needs()
    with pytest.raises(LexigraftError, match="temperature"):
        auto("focus[temperature=warm]")
    with pytest.raises(UnknownName, match="heat"):
        auto("focus[heat=1]")


def test_the_chosen_chains_own_graft_comes_out_bit_for_bit() -> None:
    for chosen in ("focus", "subword_mean", "focus,subword_mean", "mean", "focus,mean", "subword_mean,random"):
        figures = {chosen: [1, 1, 1], "zero": [9, 9, 9]}
        ctx = asked(figures)
        mine = build_rows([auto("zero", chosen, seeds=2)], ctx)
        plain = replace(ctx, generator=torch.Generator().manual_seed(0))
        wanted = build_rows([make("strategy", name) for name in chosen.split(",")], plain)
        assert torch.equal(mine.tables[Role.INPUT], wanted.tables[Role.INPUT]), chosen
        for i in range(TARGET.size):
            ours, theirs = mine.provenance.mix.row(i), wanted.provenance.mix.row(i)
            assert all(map(np.array_equal, ours, theirs)), chosen


def test_a_strategy_that_re_estimates_matched_rows_is_handed_on_whole() -> None:
    class Everything(Strategy):
        name = "everything"
        scope = make("strategy", "auto").scope

        def plan(self, ctx: InitContext) -> Mix:
            return Mix.mean_of([[3]] * len(ctx.target_ids))

    ctx = replace(asked({}), target_ids=np.arange(2, TARGET.size))
    plan = plan_of_chain([make("strategy", "subword_mean"), Everything()], ctx)
    assert isinstance(plan, Mix)
    # sun, moon, star, inti, killa by the second; "suns" = sun + ##s by the first, which is not asked for matched rows.
    assert [plan.row(n)[0].tolist() for n in range(len(plan))] == [[3], [3], [3], [3], [2, 5], [3]]


def test_a_tie_goes_to_the_earlier_and_says_that_it_is_one() -> None:
    ctx = asked({"focus": [20, 40, 60], "subword_mean": [20, 40, 60]})
    notes = build_rows([auto("subword_mean", "focus")], ctx).notes
    assert notes == (
        "auto chose subword_mean: 2.000 bits per byte after 50 steps, 0.000 ± 0.000 below focus (not told apart)",
    )


def test_candidates_that_cannot_run_are_left_out_with_a_note() -> None:
    figures = {"subword_mean": [20, 41, 60], "mean": [26, 50, 77], "random": [1, float("nan"), 1]}
    ctx = asked(figures, static=False)
    rows = build_rows([auto("focus", "mean", "subword_mean", "random", "zero")], ctx)
    assert rows.notes[:3] == (
        "auto left out what lacks an input: focus (target_vectors)",
        "auto left out random: its bits per byte are not finite",
        "auto left out zero: does not run: zero",
    )
    assert rows.notes[3].startswith("auto chose subword_mean")


def test_the_only_candidate_left_is_not_tried() -> None:
    tried: list[str] = []
    rows = build_rows([auto("focus", "subword_mean")], asked({}, tried, static=False))
    assert tried == []
    assert rows.notes[1] == "auto chose subword_mean untried: no other candidate can run"
    assert rows.counts["learned_tokens"] == 0


def test_without_text_the_first_that_can_run_is_taken_untried() -> None:
    ctx = context(SOURCE, TARGET, {Role.INPUT: TABLE}, {})
    rows = build_rows([auto("focus", "subword_mean", "mean")], ctx)
    assert rows.notes == (
        "auto left out what lacks an input: focus (target_vectors)",
        "auto chose subword_mean untried: no text is given to try it against mean",
    )
    wanted = build_rows([make("strategy", "subword_mean")], context(SOURCE, TARGET, {Role.INPUT: TABLE}, {}))
    assert torch.equal(rows.tables[Role.INPUT][4], wanted.tables[Role.INPUT][4])


def test_what_every_candidate_needs_is_needed_and_the_rest_is_welcome() -> None:
    assert auto("focus", "mean").required_needs() == frozenset()
    assert auto("focus", "focus,mean").required_needs() == {Need.TARGET_VECTORS}
    assert uses_of([auto("focus", "omp", "mean")]) == {Need.PROBE, Need.TARGET_VECTORS, Need.DONOR}


def test_no_candidate_is_an_error_that_says_how_to_help() -> None:
    with pytest.raises(LexigraftError, match=r"none of its strategies: focus, wechsel.*--corpus F or --target-vectors"):
        build_rows([auto("focus", "wechsel")], asked({}, static=False))
    with pytest.raises(LexigraftError, match=r"no candidate of auto can be tried.*does not run: mean"):
        build_rows([auto("mean", "zero")], asked({}))


@pytest.mark.parametrize(
    "candidates", [[], ["mean", "mean"], ["auto"], ["keep"], ["tema"], ["mean", ""], ["focus,auto"]]
)
def test_impossible_candidates_are_refused_when_they_are_named(candidates: list[str]) -> None:
    with pytest.raises(LexigraftError, match="cannot take these values"):
        auto(*candidates)
    with pytest.raises(UnknownName, match="focus"):
        auto("focsu")


def test_seeds_are_drawn_beside_the_generator_and_differ_with_the_grafts_seed() -> None:
    def seeds(seed: int) -> list[str]:
        tried: list[str] = []
        ctx = asked({"mean": [1, 1, 1], "zero": [2, 2, 2]}, tried)
        ctx = replace(ctx, generator=torch.Generator().manual_seed(seed))
        before = ctx.generator.get_state()
        auto("mean", "zero", seeds=3).plan(ctx)
        assert torch.equal(before, ctx.generator.get_state())
        return [t.split()[2] for t in tried]

    first = seeds(0)
    assert first[:3] == first[3:], "candidates are compared on the same seeds"
    assert len(set(first)) == 3
    assert seeds(1) != first == seeds(0)


def test_lines_are_held_out_of_the_training_text_only() -> None:
    corpus = Corpus.of(f"line {n}" for n in range(4000))
    train, lines = hold_out(corpus)
    assert len(lines) == 200
    assert {*train.lines, *lines.lines} == {*corpus.lines}
    assert not {*train.lines} & {*lines.lines}
    assert hold_out(corpus)[1] == lines


def test_an_adaptation_is_shortened_to_whole_phases() -> None:
    model, _, _ = fixture("roberta-tied-bias")
    phases = [Phase(steps=30, body="frozen"), Phase(steps=70)]
    settings = AdaptSettings(steps=100, phases=phases, sequence_length=512, checkpoint_every=10)
    for steps, wanted in ((20, [20]), (50, [30, 20]), (120, [30, 90])):
        short = shortened(settings, steps, 4, model)
        assert [p.steps for p in short.phases] == wanted
        assert (short.steps, short.seed, short.sequence_length, short.checkpoint_every) == (steps, 4, 94, 0)
    assert shortened(AdaptSettings(), 5, 0, model).phases == []
    small = shortened(AdaptSettings(), 5, 0, model, batch_tokens=64)
    assert (small.batch_tokens, small.sequence_length) == (64, 64)
    texts = {"texts": {"source": "en.txt"}, "mixture": {"temperature": 2}, "body": "shielded:0.5"}
    plain = shortened(AdaptSettings.model_validate(texts), 5, 0, model)
    assert (plain.used_texts, plain.body) == ((), "full")


CANDIDATES = ("focus", "subword_mean", "random")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe, what it names, and a target tokenizer."""
    folder = tmp_path_factory.mktemp("home")
    tiny_recipe(folder, tracking={"enabled": False})
    fixture("roberta-tied-bias")[2].save_pretrained(folder / "tokenizer")
    return folder


def trials(home: Path) -> ModelProbe:
    """The probe of a graft in that folder."""
    text = load_corpus([home / "target.txt.gz"])
    given = StrategyInputs(corpus=lambda: text, probing=ProbeSettings(str(home / "source")))
    trial = given.loaders(load_vocabulary(home / "tokenizer"), home / "cache")[Need.PROBE]()
    assert isinstance(trial, ModelProbe)
    assert {*trial.lines.lines} < {*text.lines}
    return trial


@pytest.mark.slow
def test_real_adaptations_decide_and_the_graft_is_the_winners_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEXIGRAFT_CACHE", str(home / "cache"))
    state = torch.random.get_rng_state()
    (drawn,) = torch.randint(2**31, (1,), generator=torch.Generator().manual_seed(5)).tolist()
    trial = trials(home)
    tried = EarlyStoppedTrials(trial, 4, trial.batch_tokens, [drawn])
    for name in CANDIDATES:
        tried.run(name)
    best = tried.finished()[0]
    seen: dict[int, list[float]] = {}
    watched = trial([(best, {})], steps=4, seed=drawn, watch=lambda n, bits: not seen.update({n: [*bits]}), looks=[2])
    assert watched.bits.tolist() == tried.curves[best][0][4].numerators.tolist(), "looking changes nothing"
    ended = trial([(best, {})], steps=4, seed=drawn, watch=lambda step, bits: False, looks=[2, 3])
    assert (ended.tokens, {2: [*ended.bits]}) == (watched.tokens / 2, seen)
    assert torch.equal(state, torch.random.get_rng_state())
    common = ["graft", "--source", home / "source", "--target-tokenizer", home / "tokenizer", "--seed", 5]
    common += ["--corpus", home / "target.txt.gz", "--json"]
    listed = f"candidates={json.dumps(CANDIDATES)}"
    done = lexigraft(*common, "--strategy", "auto", "--set", listed, "--set", "steps=4", "--out", home / "auto")
    assert done.code == 0, done.err
    (note,) = [n for n in done.json["notes"] if n.startswith("auto chose")]
    assert note.startswith(f"auto chose {best}: {tried.score(best):.3f} bits per byte after 4 steps, ")
    assert done.json["learned_tokens"] == tried.tokens > 0
    assert lexigraft(*common, "--strategy", best, "--out", home / "plain").code == 0
    auto_tables, plain = (tables_of(load_model(home / name)).by_role for name in ("auto", "plain"))
    assert all(torch.equal(auto_tables[role], plain[role]) for role in plain)
    assert "auto" in read_provenance(home / "auto")["rule"]


@pytest.mark.slow
def test_in_a_recipe_it_adapts_as_the_recipe_says_and_never_sees_the_heldout_text(tmp_path: Path) -> None:
    line = {"name": "auto", "candidates": ["subword_mean", "mean", "wechsel"], "steps": 3, "seeds": 2}
    changes = {"strategies": [line, "mean"], "reference": "mean", "seeds": [0], "tracking": {"enabled": False}}
    recipe = read_recipe(tiny_recipe(tmp_path, **changes))
    done = compare(recipe, tmp_path / "out")
    result = done.results[0]
    left_out, chosen = [note for note in result.notes if note.startswith("auto ")]
    assert left_out == "auto left out what lacks an input: wechsel (word_vectors)"
    assert chosen.startswith("auto chose ")
    assert result.cost["learned_tokens"] == 2 * 2 * 3 * 64
    assert done.results[1].cost["learned_tokens"] == 0
    texts = load_texts(recipe)
    target = fixture("roberta-tied-bias")[2]
    trial = strategy_inputs(recipe, None, texts).loaders(Vocabulary.of(target), tmp_path)[Need.PROBE]()
    assert {*trial.lines.lines, *trial.train.lines} == {*texts.train.lines}
    assert trial.settings.adaptation == recipe.adaptation
    assert trial.settings.measure == {"stripes": 2, "within_word": "whole"}

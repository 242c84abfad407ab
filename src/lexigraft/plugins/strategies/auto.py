"""Automatic choice among strategies by short trial adaptations, those of losers ended early."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.chains import named_chain, named_needs, plan_of_chain, usable
from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Plan
from lexigraft.core.grafting.strategy import InitContext, Scope, Strategy
from lexigraft.core.methods.early_stopped_trials import FEWEST, EarlyStoppedTrials
from lexigraft.core.methods.mixtures import empty_mix


@dataclass(frozen=True)
class Auto(Strategy):
    """Tries several strategies with a few steps of adaptation each and returns the rows of the best one.

    Each candidate (a strategy, or a chain such as `focus,mean`, with fields in brackets: `ramen[align=dictionary]`) is
    grafted and adapted with each of `seeds` seeds; the one that needs the fewest bits per byte on lines held out of the
    training text is taken, and its rows are what its own graft gives. All trials together train on at most `share` of
    the tokens that the adaptation will: a trial has `steps` steps, with smaller batches where the share is too small
    for whole ones, because with as many tokens many small steps show the end better than a few large ones; where
    batches would fall below `smallest_batch` tokens it has fewer steps, but never fewer than 8. At half of its steps a
    trial is stopped if it would end clearly above the best one so far, were both to go on as since a quarter of them:
    the 95% interval over lines excludes 0. The choice is noted with its gap to the runner-up and half of that interval,
    over lines and seeds; where it does not separate the two, the note says so and the better mean is taken. Candidates
    whose needs are not supplied, or that cannot be grafted or adapted, are left out with a note. Without target text to
    try them on, the first candidate that can run is taken untried: their order follows the measured results of all
    strategies. The text that the trials train on counts as cost. No strategy is judged at step 0, because the best
    start and the best end often differ.

    Source: this project; the short adaptation as a measure follows Joshi et al. 2026 (BIL), where
    initializations are compared by probes of 50 steps.
    Needs: nothing; better with target text to try candidates on, and with what the candidates need.
    Relations: every other strategy is a candidate, but those that keep the poor model's body.
    """

    name: ClassVar[str] = "auto"
    needs: ClassVar[frozenset[Need]] = frozenset()
    scope: ClassVar[Scope] = Scope.ALL
    candidates: tuple[str, ...] = (
        "focus", "clp_plus", "landmark_map", "ramen[align=dictionary]", "ramen[evidence=parallel]", "subword_mean",
    )  # fmt: skip
    steps: int = 50
    share: float = 0.2
    smallest_batch: int = 64
    seeds: int = 1

    def __post_init__(self) -> None:
        if self.steps < 1 or self.seeds < 1:
            raise ValueError("steps and seeds must be at least 1")
        if self.smallest_batch < 16:
            raise ValueError("smallest_batch must be at least 16")
        if not self.share > 0:
            raise ValueError("share must be above 0")
        if not self.candidates or len(set(self.candidates)) != len(self.candidates):
            raise ValueError("candidates must be at least one, each once")
        for names in self.candidates:
            if any(s.name == self.name for s in named_chain(names)) or any(
                s.keeps_tokenizer for s in named_chain(names)
            ):
                raise ValueError(f"not a candidate: {names}")

    def required_needs(self) -> frozenset[Need]:
        """What every candidate needs."""
        return frozenset.intersection(*map(named_needs, self.candidates))

    def optional_needs(self) -> frozenset[Need]:
        """The probe, and what any candidate needs: one whose needs are not met is left out."""
        return frozenset({Need.PROBE}).union(*map(named_needs, self.candidates))

    def plan(self, ctx: InitContext) -> Plan:
        """The plan of the best candidate, for the rows asked for, in that order."""
        able = usable(self.candidates, self, ctx)
        if not len(ctx.target_ids):
            return empty_mix(0)
        untried = ""
        if len(able) == 1:
            untried = "no other candidate can run"
        elif ctx.resources.missing(frozenset({Need.PROBE})):
            untried = f"no text is given to try it against {', '.join(able[1:])}"
        if untried:
            ctx.journal.note(f"auto chose {able[0]} untried: {untried}")
            return plan_of_chain(named_chain(able[0]), ctx)
        return plan_of_chain(named_chain(_chosen(self._trials(able, ctx), ctx)), ctx)

    def _trials(self, able: list[str], ctx: InitContext) -> EarlyStoppedTrials:
        """The trials of every candidate; their seeds do not come from the context's generator."""
        import torch

        beside = torch.Generator()
        beside.set_state(ctx.generator.get_state())
        seeds = torch.randint(2**31, (self.seeds,), generator=beside).tolist()
        probe = ctx.resources.probe()
        steps, batch = self._size(probe.adaptation_steps, probe.batch_tokens, len(able))
        trials = EarlyStoppedTrials(probe, steps, batch, seeds)
        reasons: list[str] = []
        for names in able:
            ctx.logger.info("auto tries %s", names)
            try:
                trials.run(names)
            except LexigraftError as refusal:
                reasons.append(f"auto left out {names}: {refusal}")
        ctx.journal.spend(trials.tokens)
        if not trials.curves:
            raise LexigraftError("no candidate of auto can be tried", "; ".join(reasons))
        for reason in reasons:
            ctx.journal.note(reason)
        return trials

    def _size(self, adaptation: int, batch: int, candidates: int) -> tuple[int, int]:
        """Steps of each trial and tokens of its batches; as wished where the length of the adaptation is not known."""
        if not adaptation:
            return self.steps, batch
        tokens = int(self.share * adaptation * batch / (candidates * self.seeds))
        batch = min(batch, max(tokens // self.steps, self.smallest_batch))
        return min(self.steps, max(FEWEST, tokens // batch)), batch


def _chosen(trials: EarlyStoppedTrials, ctx: InitContext) -> str:
    """The candidate with the best mean, the first of equal ones; notes give its gap to the others."""
    (best, *finished), ended = trials.finished(), trials.ended()
    sentence = f"auto chose {best}: {trials.score(best):.3f} bits per byte after {trials.steps} steps"
    if finished or ended:
        runner_up = (finished or ended)[0]
        apart = trials.gap(runner_up, best)
        sentence += f", {apart.mean:.3f} ± {apart.half_width:.3f} below {runner_up}"
        sentence += "" if finished else f" after {trials.last(runner_up)}"
        sentence += "" if apart.separable else " (not told apart)"
    ctx.journal.note(sentence)
    if finished[1:]:
        tried = ", ".join(f"{names} ({trials.score(names):.3f})" for names in finished[1:])
        ctx.journal.note(f"auto also tried {tried}")
    if ended:
        gaps = {names: trials.gap(names, best) for names in ended}
        shown = ", ".join(
            f"{names} after {trials.last(names)} ({gap.mean:.3f} ± {gap.half_width:.3f} above)"
            for names, gap in gaps.items()
        )
        ctx.journal.note(f"auto ended trials early: {shown}")
    return best

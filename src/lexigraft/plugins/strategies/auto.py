"""Automatic choice among strategies by short trial adaptations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.scores import ItemScores
from lexigraft.core.evaluation.statistics.paired_comparison import difference
from lexigraft.core.grafting.chains import named_chain, named_needs, named_specs, plan_of_chain
from lexigraft.core.grafting.needs import Need, how_to_meet
from lexigraft.core.grafting.plan import Plan
from lexigraft.core.grafting.resources import Probe, ProbeRun
from lexigraft.core.grafting.strategy import InitContext, Scope, Strategy
from lexigraft.core.methods.mixtures import empty_mix

Runs = Mapping[str, list[ProbeRun]]


@dataclass(frozen=True)
class Auto(Strategy):
    """Tries several strategies with a few steps of adaptation each and returns the rows of the best one.

    Each candidate (a strategy, or a chain such as `focus,subword_mean`, with default fields) is grafted and adapted for
    `steps` steps with each of `seeds` seeds; the one that needs the fewest bits per byte on lines held out of the
    training text is taken, and its rows are what its own graft gives. The choice is noted with its gap to the
    runner-up and half of the 95% interval over lines and seeds. Where that interval does not separate the two, the note
    says so and the better mean is taken. Candidates whose needs are not supplied, or that cannot be grafted or adapted,
    are left out with a note. Without target text to try them on, the first candidate that can run is taken untried:
    their order follows the measured results of all strategies. The text that the trials train on counts as cost. No
    strategy is judged at step 0, because the best start and the best end often differ.

    Source: this project; the short adaptation as a measure follows Joshi et al. 2026 (BIL), where
    initializations are compared by probes of 50 steps.
    Needs: nothing; better with target text to try candidates on, and with what the candidates need.
    Relations: every other strategy is a candidate, but those that keep the poor model's body.
    """

    name: ClassVar[str] = "auto"
    needs: ClassVar[frozenset[Need]] = frozenset()
    scope: ClassVar[Scope] = Scope.ALL
    candidates: tuple[str, ...] = (
        "focus", "clp_plus", "landmark_map", "ramen", "subword_mean", "focus,subword_mean", "mean",
    )  # fmt: skip
    steps: int = 50
    seeds: int = 1

    def __post_init__(self) -> None:
        if self.steps < 1 or self.seeds < 1:
            raise ValueError("steps and seeds must be at least 1")
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
        able = self._able(ctx)
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
        return plan_of_chain(named_chain(self._best(self._runs(able, ctx.resources.probe(), ctx), ctx)), ctx)

    def _able(self, ctx: InitContext) -> list[str]:
        """The candidates whose needs are met."""
        missing = {names: ctx.resources.missing(named_needs(names)) for names in self.candidates}
        able = [names for names, needs in missing.items() if not needs]
        if out := [f"{names} ({', '.join(needs)})" for names, needs in missing.items() if needs]:
            ctx.journal.note(f"auto left out what lacks an input: {', '.join(out)}")
        if not able:
            raise LexigraftError(
                "auto can try none of its candidates",
                ", ".join(self.candidates),
                how_to_meet(sorted(self.optional_needs())),
            )
        return able

    def _runs(self, able: list[str], probe: Probe, ctx: InitContext) -> Runs:
        """The measurements of every candidate, one for each seed; seeds do not come from the context's generator."""
        import torch

        beside = torch.Generator()
        beside.set_state(ctx.generator.get_state())
        seeds = torch.randint(2**31, (self.seeds,), generator=beside).tolist()
        runs: dict[str, list[ProbeRun]] = {}
        left_out: dict[str, str] = {}
        for names in able:
            ctx.logger.info("auto tries %s", names)
            try:
                found = [probe(named_specs(names), steps=self.steps, seed=seed) for seed in seeds]
            except LexigraftError as refusal:
                left_out[names] = str(refusal)
                continue
            ctx.journal.spend(sum(run.tokens for run in found))
            if all(np.isfinite(run.bits).all() for run in found):
                runs[names] = found
            else:
                left_out[names] = "its bits per byte are not finite"
        reasons = [f"auto left out {names}: {reason}" for names, reason in left_out.items()]
        if not runs:
            raise LexigraftError("no candidate of auto can be tried", "; ".join(reasons))
        for reason in reasons:
            ctx.journal.note(reason)
        return runs

    def _best(self, runs: Runs, ctx: InitContext) -> str:
        """The candidate with the best mean, the first of equal ones; a note gives its gap to the runner-up."""
        items = {names: [ItemScores.of(run.bits, run.bytes) for run in found] for names, found in runs.items()}
        scores = {names: sum(one.ratio for one in found) / len(found) for names, found in items.items()}
        best, *others = sorted(scores, key=lambda names: scores[names])
        sentence = f"auto chose {best}: {scores[best]:.3f} bits per byte after {self.steps} steps"
        if others:
            apart = difference(items[others[0]], items[best])
            sentence += f", {apart.mean:.3f} ± {apart.half_width:.3f} below {others[0]}"
            sentence += "" if apart.separable else " (not told apart)"
        ctx.journal.note(sentence)
        if others[1:]:
            ctx.journal.note("auto also tried " + ", ".join(f"{names} ({scores[names]:.3f})" for names in others[1:]))
        return best

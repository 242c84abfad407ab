"""Laws of how an evaluator leaves the model and random state."""

from __future__ import annotations

from lexigraft.core.errors import LexigraftError
from lexigraft.testing.evaluator_trial import ModelTrial, other_scores
from lexigraft.testing.law import Law, require, skip_unless


def _same_seed_same_scores(trial: ModelTrial) -> None:
    """Neither the global random state nor the model's mode decides anything."""
    differing = other_scores(trial.first, trial.again[0])
    require(not differing, f"in training mode and another global random state differ: {', '.join(differing)}")


def _global_random_state_untouched(trial: ModelTrial) -> None:
    require(not trial.again[1], "the global random state moved; draw from a generator of context.seed")


def _order_of_calls(trial: ModelTrial) -> None:
    differing = other_scores(trial.first, trial.later)
    require(not differing, f"after another measurement differ: {', '.join(differing)}")


def _the_seed_alone_suffices(trial: ModelTrial) -> None:
    """What is known of the model's training may be missing; an evaluator of exactly that refuses then."""
    refusal = trial.bare
    skip_unless(not isinstance(refusal, LexigraftError), f"refused: {refusal}")


def _model_stays(trial: ModelTrial) -> None:
    require(not trial.left_behind, f"changed in the model: {'; '.join(trial.left_behind)}")


LAWS = tuple(
    Law(name, "conduct", check)
    for name, check in {
        "same seed, same scores": _same_seed_same_scores,
        "the global random state is untouched": _global_random_state_untouched,
        "another order of calls, same scores": _order_of_calls,
        "the seed alone suffices": _the_seed_alone_suffices,
        "the model stays as it was": _model_stays,
    }.items()
)

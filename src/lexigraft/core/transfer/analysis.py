"""Analysis of a transfer study: what goes with the gains of its pairs, what foresees them, and who gives and gains."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.transfer.correlation import RESAMPLES, Correlation, correlate, what_pairs_can_show
from lexigraft.core.transfer.crossed_effects import CrossedEffects, crossed_effects
from lexigraft.core.transfer.language_means import LanguageMean, Share, language_means
from lexigraft.core.transfer.pairs import PairTable
from lexigraft.core.transfer.prediction import Prediction, predict_gains


@dataclass(frozen=True)
class TransferAnalysis:
    """What a table of pairs shows.

    Attributes:
        outcome: What was measured.
        pairs: How many pairs.
        correlations: Of each feature with the outcome.
        effects: Variance of donors, targets and pairs without features; ``None`` where they cannot be told apart.
        effects_of_features: The same with all features as fixed effects.
        prediction: A predictor on languages left out; ``None`` without features, or with too few pairs.
        donors: Mean gains of donors.
        targets: Mean gains of targets.
        notes: Sentences worth showing.
    """

    outcome: str
    pairs: int
    correlations: tuple[Correlation, ...]
    effects: CrossedEffects | None
    effects_of_features: CrossedEffects | None
    prediction: Prediction | None
    donors: tuple[LanguageMean, ...]
    targets: tuple[LanguageMean, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        prediction = None
        if self.prediction is not None:
            prediction = {**vars(self.prediction), "predicted": self.prediction.predicted.tolist()}
            prediction |= {"spearman_interval": _ends(self.prediction.spearman_interval)}
            prediction |= {"verdict": self.prediction.verdict}
            if self.prediction.improvement is not None:
                prediction["improvement"] = asdict(self.prediction.improvement)
        return {
            "outcome": self.outcome,
            "pairs": self.pairs,
            "correlations": [asdict(one) for one in self.correlations],
            "effects": _effects(self.effects),
            "effects_of_features": _effects(self.effects_of_features),
            "prediction": prediction,
            "donors": [_mean(one) for one in self.donors],
            "targets": [_mean(one) for one in self.targets],
            "notes": list(self.notes),
        }


def analyze(table: PairTable, *, resamples: int = RESAMPLES, seed: int = 0) -> TransferAnalysis:
    """Analyze a table of pairs.

    Args:
        table: The pairs with their features.
        resamples: How often donors and targets are drawn again for intervals.
        seed: Decides what is drawn.

    Raises:
        LexigraftError: Fewer pairs than features.
    """
    notes = [*table.notes, what_pairs_can_show(table)]
    features = list(table.features)
    if len(table) <= len(features):
        raise LexigraftError(
            "fewer pairs than features",
            f"{len(table)} pairs, {len(features)} features",
            "Name fewer features, or measure more languages",
        )
    correlations = {name: correlate(table, name, resamples=resamples, seed=seed) for name in features}
    notes += [
        f"{name} has too few or only equal values for a correlation." for name, c in correlations.items() if not c
    ]
    prediction = None
    if features:
        try:
            prediction = predict_gains(table, resamples=resamples, seed=seed)
        except LexigraftError as error:
            notes.append(f"Nothing is predicted: {error}.")
        else:
            notes.append(prediction.verdict)
            if prediction.left_out:
                notes.append(f"{prediction.left_out:,} pairs lack a feature and are not predicted.")
    if table.gains is None:
        notes.append("No zero-shot figures are given, so it is not known which pairs gain.")
    effects = crossed_effects(table)
    if effects is None:
        notes.append("Donors, targets and pairs are too few to tell their variances apart.")
    return TransferAnalysis(
        table.name,
        len(table),
        tuple(one for one in correlations.values() if one is not None),
        effects,
        crossed_effects(table, features) if features else None,
        prediction,
        tuple(language_means(table, "donor")),
        tuple(language_means(table, "target")),
        tuple(notes),
    )


def _ends(interval: Any) -> list[float] | None:
    return None if interval is None else list(interval)


def _effects(effects: CrossedEffects | None) -> dict[str, Any] | None:
    if effects is None:
        return None
    fixed = {name: {"value": one.value, "interval": list(one.interval)} for name, one in effects.fixed.items()}
    return {**vars(effects), "fixed": fixed}


def _mean(one: LanguageMean) -> dict[str, Any]:
    return {
        "language": one.language,
        "mean": one.gain.mean,
        "interval": None if one.gain.half_width is None else [one.gain.low, one.gain.high],
        "pairs": len(one.gain.values),
        "improved": None if one.improved is None else _share(one.improved),
    }


def _share(share: Share) -> dict[str, Any]:
    return {"count": share.count, "of": share.of, "interval": list(share.interval)}

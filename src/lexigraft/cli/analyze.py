"""`lexigraft analyze`: statistics of a table of donor and target pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.output import print_json, table

if TYPE_CHECKING:
    from lexigraft.core.transfer.analysis import TransferAnalysis
    from lexigraft.core.transfer.correlation import Interval
    from lexigraft.core.transfer.language_means import LanguageMean


def analyze(
    pairs: Annotated[Path, typer.Argument(help="A CSV with a row for each donor and target.")],
    outcome: Annotated[str, typer.Option(help="The column of the outcome.")] = "gain",
    lower_is_better: Annotated[
        bool, typer.Option("--lower-is-better", help="Lower outcomes are better, as for bits per byte.")
    ] = False,
    zero_shot: Annotated[
        str | None, typer.Option(help="The column of the target's outcome without a donor: gains come from it.")
    ] = None,
    feature: Annotated[
        list[str] | None, typer.Option(help="A column that may explain gains; all of numbers by default; repeatable.")
    ] = None,
    typology: Annotated[
        Path | None, typer.Option(help="A folder with URIEL or WALS files: their distances are features too.")
    ] = None,
    donor: Annotated[str, typer.Option(help="The column of donors.")] = "donor",
    target: Annotated[str, typer.Option(help="The column of targets.")] = "target",
    top: Annotated[int, typer.Option(help="Donors and targets to show.", min=1)] = 10,
    seed: Annotated[int, typer.Option(help="Decides what is drawn for intervals.", min=0)] = 0,
    json: Json = False,
) -> None:
    """Show what explains the gains of language pairs, what foresees them, and who gives and gains most."""
    from lexigraft.api.transfer.analysis import analyze_pairs

    found = analyze_pairs(
        pairs, donor=donor, target=target, outcome=outcome, zero_shot=zero_shot, features=feature,
        lower_is_better=lower_is_better, typology=typology, seed=seed,
    )  # fmt: skip
    if json:
        print_json(found.as_json())
        return
    _correlations(found)
    _effects(found)
    _prediction(found)
    _languages("donor", found.donors, top)
    _languages("target", found.targets, top)
    for note in found.notes:
        typer.echo(note)


def _correlations(found: TransferAnalysis) -> None:
    if not found.correlations:
        return
    typer.echo(f"Correlation with {found.outcome}")
    table(
        ("feature", "pairs", "Pearson", "with log", "Spearman", "95%, pairs independent",
         "95%, languages drawn again", "given the others"),
        [
            (c.feature, f"{c.pairs:,}", f"{c.pearson:.3f}", _number(c.pearson_log), f"{c.spearman:.3f}",
             _interval(c.interval), _interval(c.crossed_interval), _number(c.partial))
            for c in found.correlations
        ],
    )  # fmt: skip


def _effects(found: TransferAnalysis) -> None:
    for effects, given in ((found.effects, ""), (found.effects_of_features, " that the features leave")):
        if effects is not None:
            typer.echo(
                f"Of the variance{given}, donors have {effects.donor_share:.0%}, targets {effects.target_share:.0%}, "
                f"pairs with all noise {effects.residual_share:.0%}."
            )
    if found.effects_of_features is not None:
        fixed = found.effects_of_features.fixed.items()
        rows = [
            (name, f"{effect.value:+.4g}", f"[{effect.interval.low:.4g}, {effect.interval.high:.4g}]")
            for name, effect in fixed
        ]
        table(("feature", "gain for one standard deviation of it", "95%"), rows)


def _prediction(found: TransferAnalysis) -> None:
    if (made := found.prediction) is None:
        return
    typer.echo(f"Prediction of {made.pairs:,} pairs from {', '.join(made.features)}, both languages left out")
    rows = [
        ("R²", f"{made.r2:.3f}", f"{made.r2_of_mean:.3f}"),
        ("root mean squared error", f"{made.error:.4g}", f"{made.error_of_mean:.4g}"),
        ("Spearman", f"{_number(made.spearman)} {_interval(made.spearman_interval)}", "-"),
    ]
    if (improves := made.improvement) is not None:
        rows += [
            ("improves: AUC", f"{_number(improves.auc)} {_interval(improves.auc_interval)}", "0.500"),
            ("improves: balanced accuracy", _number(improves.balanced_accuracy), "0.500"),
            ("improves: accuracy", f"{improves.accuracy:.3f}", f"{improves.majority_accuracy:.3f}"),
        ]
    table(("", "ridge", "baseline: the mean, or the more frequent answer"), rows)
    if improves is not None:
        typer.echo(f"Base rate: {improves.base_rate:.1%} of the pairs gain.")


def _languages(side: str, means: tuple[LanguageMean, ...], top: int) -> None:
    gains = any(one.improved is not None for one in means)
    rows = []
    for one in means[:top]:
        interval = "-" if one.gain.half_width is None else f"[{one.gain.low:.4g}, {one.gain.high:.4g}]"
        row = [one.language, len(one.gain.values), f"{one.gain.mean:.4g}", interval]
        if one.improved is not None:
            row += [f"{one.improved.count} ({one.improved.value:.0%})", _interval(one.improved.interval)]
        rows.append(row)
    shown = ("mean gain", "95%", "pairs that gain", "95% (Wilson)") if gains else ("mean, higher is better", "95%")
    table((side, "pairs", *shown), rows)
    if len(means) > top:
        typer.echo(f"… and {len(means) - top:,} more")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(interval: Interval | None) -> str:
    return "-" if interval is None else f"[{interval.low:.3f}, {interval.high:.3f}]"

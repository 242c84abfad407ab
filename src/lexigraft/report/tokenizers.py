"""Page of tokenizers side by side: their figures, bars of the main ones, and how they cut some lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from lexigraft.core.tokenization.measures.segmentation_samples import Sample
from lexigraft.core.tokenization.measures.tokenizer_report import TokenizerReport, figures
from lexigraft.report.charts.axes import Scale
from lexigraft.report.charts.line_styles import PALETTE
from lexigraft.report.page_template import render
from lexigraft.report.segmentation import cuts

WIDTH, BAR, GAP, LEFT = 820, 18, 8, 190


def tokenizer_page(report: TokenizerReport, samples: Sequence[Sample]) -> str:
    """The whole page; every text from outside is escaped, and nothing is loaded from anywhere.

    Args:
        report: The figures.
        samples: Some lines of the text, as every tokenizer cuts them.
    """
    from markupsafe import Markup

    names = _short(list(report.tokenizers))
    colors = {name: PALETTE[n % len(PALETTE)] for n, name in enumerate(report.tokenizers)}
    rows = figures(report)
    return render(
        "tokenizers.html.j2",
        names=list(names.values()),
        colors=list(colors.values()),
        lines=report.lines,
        bytes=report.bytes,
        warnings=report.warnings,
        rows=rows,
        figures=[(title, note, Markup(figure)) for title, note, figure in _figures(report, names, colors)],
        samples=cuts(samples, names, colors),
    )


def _short(paths: Sequence[str]) -> dict[str, str]:
    """Names without their folders, where these are not needed to tell them apart."""
    last = [Path(path).name or path for path in paths]
    return dict(zip(paths, last if len(set(last)) == len(last) else paths, strict=True))


def _figures(
    report: TokenizerReport, names: Mapping[str, str], colors: Mapping[str, str]
) -> list[tuple[str, str, str]]:
    measures = report.tokenizers
    tokens = {name: float(one.tokens) for name, one in measures.items()}
    floors = {name: float(one.pre_token_floor) for name, one in measures.items()}
    fertility = {name: one.fertility for name, one in measures.items() if one.fertility is not None}
    found = [
        (
            "Tokens of the text",
            "The mark is the number of pre-tokens: with its pre-tokenizer no vocabulary takes fewer.",
            _bars(tokens, names, colors, "{:,.0f}", floors),
        )
    ]
    if fertility:
        found.append(("Tokens per word", "Words between white space.", _bars(fertility, names, colors, "{:.2f}")))
    for n, language in enumerate(report.languages[1:] if report.parity else (), 1):
        premiums = {name: one.premiums[n] for name, one in report.parity.items()}
        known = {name: premium for name, premium in premiums.items() if premium is not None}
        first, other = (Path(path).name for path in (report.languages[0], language))
        note = f"Tokens of {other} over those of {first}, the same content; the mark is 1, where both cost the same."
        if known:
            found.append((f"Parity: {other}", note, _bars(known, names, colors, "{:.2f}", dict.fromkeys(known, 1.0))))
    return found


def _bars(
    values: Mapping[str, float],
    names: Mapping[str, str],
    colors: Mapping[str, str],
    form: str,
    marks: Mapping[str, float] | None = None,
) -> str:
    """A bar for each tokenizer from zero, with its value, and a mark on it where there is one."""
    marks = marks or {}
    x = Scale(0, max(*values.values(), *marks.values(), 1e-9), LEFT, WIDTH - 70)
    parts = []
    for n, (name, value) in enumerate(values.items()):
        top, end = n * (BAR + GAP) + 2, x(value)
        label = names[name] if len(names[name]) <= 26 else "…" + names[name][-25:]
        parts.append(f'<text class="name" x="{LEFT - 8}" y="{top + 14}" text-anchor="end">{escape(label)}</text>')
        parts.append(
            f'<rect x="{LEFT}" y="{top}" width="{end - LEFT:.1f}" height="{BAR}" rx="2" fill="{colors[name]}"/>'
        )
        if name in marks:
            at = f"{x(marks[name]):.1f}"
            parts.append(
                f'<line x1="{at}" x2="{at}" y1="{top - 2}" y2="{top + BAR + 2}" stroke="#1b2430" stroke-width="2"/>'
            )
        beside = max(end, x(marks[name]) if name in marks else end) + 6
        parts.append(f'<text class="tick" x="{beside:.1f}" y="{top + 13}">{form.format(value)}</text>')
    height = len(values) * (BAR + GAP) + 4
    shown = "; ".join(f"{names[name]}: {form.format(value)}" for name, value in values.items())
    head = f'<svg class="curves" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(shown)}">'
    return f"{head}{''.join(parts)}</svg>"

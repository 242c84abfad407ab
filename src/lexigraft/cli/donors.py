"""`lexigraft donors`: donor languages for a target language, with the evidence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexigraft.cli.options import Json
from lexigraft.cli.output import print_json, table

if TYPE_CHECKING:
    from lexigraft.core.transfer.donor_ranking import RankedDonor


def donors(
    language: Annotated[str, typer.Argument(help="The target: ISO 639-3, ISO 639-1, glottocode or name.")],
    typology: Annotated[Path, typer.Option(help="A folder with URIEL, WALS or Glottolog files.")],
    have: Annotated[
        Path | None, typer.Option(help="A folder of texts named by language, such as spa.txt: the candidates.")
    ] = None,
    candidate: Annotated[list[str] | None, typer.Option(help="A language to rank; repeatable.")] = None,
    tokenizer: Annotated[str | None, typer.Option(help="A tokenizer for overlaps; whole words by default.")] = None,
    text_field: Annotated[str, typer.Option(help="The field or column that holds the text.")] = "text",
    top: Annotated[int, typer.Option(help="Donors to show.", min=1)] = 10,
    json: Json = False,
) -> None:
    """Rank donor languages for a target language by likeness, and say how sure that is."""
    from lexigraft.api.transfer.donors import donors as run

    found = run(language, typology, have=have, candidates=candidate or (), tokenizer=tokenizer, text_field=text_field)
    if json:
        print_json(found.as_json())
        return
    ranking = found.ranking
    typer.echo(f"Donors for {ranking.target}, by {', '.join(ranking.kinds)}; 0 is alike, 1 is unlike")
    texts = any(donor.evidence.bytes is not None for donor in ranking.donors)
    columns = ("donor", "mean rank", "95%", "syntax", "phonology", "inventory", "family", "km", "WALS",
               *(("overlap", "bytes") if texts else ()))  # fmt: skip
    table(columns, [_row(donor, texts) for donor in ranking.donors[:top]])
    if len(ranking.donors) > top:
        typer.echo(f"… and {len(ranking.donors) - top:,} more")
    for note in found.notes:
        typer.echo(note)


def _row(donor: RankedDonor, texts: bool) -> list[str]:
    from lexigraft.core.data.typology.distances import kilometers

    evidence, rank = donor.evidence, donor.rank
    far = kilometers(evidence.distances["geography"])
    row = [
        str(evidence.language),
        f"{rank.mean:.1f}",
        "" if rank.low == rank.high else f"[{rank.low:.1f}, {rank.high:.1f}]",
    ]
    row += [_cell(donor, kind) for kind in ("syntax", "phonology", "inventory", "genealogy")]
    row += ["-" if far is None else f"{far:,.0f}", _cell(donor, "wals")]
    if texts:
        row.append("-" if evidence.overlap is None else f"{evidence.overlap.by_mass:.1%}")
        row.append("-" if evidence.bytes is None else f"{evidence.bytes:,}")
    return row


def _cell(donor: RankedDonor, kind: str) -> str:
    """A distance, with the share of features that both languages are known in."""
    distance = donor.evidence.distances[kind]
    if distance.value is None:
        return "-"
    return f"{distance.value:.2f}" if kind == "genealogy" else f"{distance.value:.2f} ({distance.known} known)"

"""Landmark map: one linear map from the donor's space to the source's, fitted on shared tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Plan
from lexigraft.core.grafting.strategy import InitContext, Strategy
from lexigraft.core.linalg.linear_maps import LinearMap, least_squares, pca_procrustes, procrustes, ridge
from lexigraft.core.methods.donor import DonorRows, rows_by_role
from lexigraft.core.models.tables import Role

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class LandmarkMap(Strategy):
    """Each new row is its donor row under one linear map into the source's space, fitted on shared tokens.

    ``row = (D_new - mean_D) W + mean_E``, W fitted on pairs ``(D_anchor, E_source[match(anchor)])``, separately for the
    input and the output table (in the donor's head, or its input table when the donor is tied). `procrustes`: the
    closest orthogonal map; `pca`: both sides first turned to their first ``q = min(widths)`` principal axes, so that
    the wider side is cut to where it varies most; `ridge`: least squares with a penalty relative to the mean variance;
    `least_squares`: none. `scaling: standard` divides every dimension of both sides by its deviation over the anchors,
    then each side by its mean length, and undoes that in the source's units; `centre` only centers. `max_anchors` draws
    that many at random (0: all). A head bias gets the anchors' mean.

    Source: Moroni et al., "Optimizing LLMs for Italian: Reducing Token Fertility and Enhancing Efficiency Through
    Vocabulary Adaptation", Findings of NAACL 2025, arXiv 2504.17025 (SAVA: the defaults); `pca` with `scaling: centre`
    and all anchors is mergekit's landmark_pca, solved exactly.
    Needs: a donor model that already uses the target tokenizer.
    Relations: `salt` and `omp` fit each token by itself, on few anchors; this fits one map for all.
    """

    name: ClassVar[str] = "landmark_map"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.DONOR})
    method: Literal["procrustes", "pca", "ridge", "least_squares"] = "procrustes"
    scaling: Literal["standard", "centre"] = "standard"
    penalty: float = 1.0
    max_anchors: int = 5000

    def __post_init__(self) -> None:
        if self.penalty < 0 or self.max_anchors < 0:
            raise ValueError("penalty and max_anchors must not be negative")

    def plan(self, ctx: InitContext) -> Plan:
        """Fit the maps and apply them to every row asked for that has a donor row."""
        import torch

        donor = DonorRows.of(ctx)
        chosen = torch.arange(len(donor.anchors))
        if 0 < self.max_anchors < len(chosen):
            chosen = torch.randperm(len(chosen), generator=ctx.generator)[: self.max_anchors].sort().values

        def rows_of(role: Role) -> torch.Tensor:
            pairs = donor.landmarks(role)[chosen], ctx.table(role)[donor.source_ids[chosen.numpy()]]
            return self._mapped(donor.queries(role), *pairs)

        # Fewer than two pairs have no directions to match.
        return rows_by_role(ctx, donor, rows_of, np.full(len(donor.wanted), len(chosen) > 1))

    def _mapped(self, rows: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if self.scaling == "centre":
            return self._fit(x, y).points(rows)
        (here, shift), (there, offset) = _standard(x), _standard(y)
        return self._fit((x - shift) / here, (y - offset) / there).points((rows - shift) / here) * there + offset

    def _fit(self, x: torch.Tensor, y: torch.Tensor) -> LinearMap:
        if self.method == "ridge":
            return ridge(x, y, penalty=self.penalty)
        fits = {"procrustes": procrustes, "pca": pca_procrustes, "least_squares": least_squares}
        return fits[self.method](x, y)


def _standard(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The scale and origin with which every dimension has deviation 1 and rows have mean length 1."""
    origin, deviation = x.mean(0), x.std(0, correction=0)
    unit = deviation.where(deviation > 0, 1)
    return unit * ((x - origin) / unit).norm(dim=1).mean(), origin

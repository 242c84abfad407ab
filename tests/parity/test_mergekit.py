"""Donor strategies agree with mergekit 0.1.5's ``mergekit-tokensurgeon``, row by row, on models that both read.

mergekit is run as a command on folders, and its written model is compared. The pairs share no special token: mergekit
leans on shared special tokens as on any other, and here they are never averaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.pipeline import graft_model, load_donor
from lexigraft.core.grafting.rows import Rows
from lexigraft.core.linalg.linear_maps import pca_procrustes
from lexigraft.core.models.tables import Role
from lexigraft.core.registry import make
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.matching.alignment import align
from parity.environments import MERGEKIT, ask
from parity.llama_pairs import LlamaPair, trained_pair

pytestmark = [pytest.mark.parity, pytest.mark.slow]
NAMES = {Role.INPUT: "model.embed_tokens.weight", Role.OUTPUT: "lm_head.weight"}
KNN = ("-a", "common_interpolation")
TOLERANCE = 1e-6
"""Rows have entries of about 0.02; float32 sums in another order differ by less than this."""


@dataclass(frozen=True)
class Case:
    """One method: how mergekit is asked for it, and which strategy of ours it is."""

    arguments: tuple[str, ...]
    strategy: str
    fields: dict[str, Any]
    tolerance: float = TOLERANCE


CASES = {
    "omp-8": Case(("-a", "omp", "-k", "8"), "omp", {"k": 8}),
    "omp-24": Case(("-a", "omp", "-k", "24"), "omp", {"k": 24}),
    "mean": Case(("-a", "mean"), "mean", {}),
    "distance": Case((*KNN, "-k", "8"), "knn_interpolation", {"k": 8}),
    "cosine": Case((*KNN, "-k", "8", "-c"), "knn_interpolation", {"k": 8, "metric": "cosine"}),
    "landmark": Case(("-a", "landmark_pca"), "landmark_map", {"method": "pca", "scaling": "centre", "max_anchors": 0}),
    "subword": Case(("-a", "subword"), "subword_mean", {}),
}
for metric, flag in (("euclidean", "-nc"), ("cosine", "-c")):
    # mergekit solves for barycentric weights in single precision.
    for scheme, tolerance in (("barycentric", 1e-5), ("least_squares", TOLERANCE)):
        CASES[f"{scheme}-{metric}"] = Case(
            (*KNN, "-k", "8", flag, "-w", scheme),
            "knn_interpolation",
            {"k": 8, "metric": metric, "weights": scheme},
            tolerance,
        )


@dataclass(frozen=True)
class Both:
    """A pair of models, and mergekit's results on it by case."""

    pair: LlamaPair
    theirs: dict[str, dict[str, torch.Tensor]]


PAIRS = {
    "byte-level-untied": {"family": "byte_level", "tied": False, "widths": (32, 48)},
    "sentencepiece-tied": {"family": "sentencepiece", "tied": True, "widths": (32, 32)},
}


@pytest.fixture(scope="module", params=PAIRS)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = tmp_path_factory.mktemp("llama")
    pair = trained_pair(folder, **PAIRS[request.param])
    inputs = [str(pair.model), str(pair.donor)]
    runs = [[*inputs, str(folder / name), *case.arguments] for name, case in CASES.items()]
    ask(MERGEKIT, "mergekit_worker.py", {"runs": runs})
    return Both(pair, {name: load_file(folder / name / "model.safetensors") for name in CASES})


def ours(pair: LlamaPair, case: Case) -> tuple[Rows, torch.Tensor]:
    """Our rows, and the ids of new text tokens that the strategy made."""
    donor = load_donor(str(pair.donor))
    chain = [make("strategy", case.strategy, case.fields)]
    grafted = graft_model(str(pair.model), load_vocabulary(pair.donor), chain, {Need.DONOR: lambda: donor})
    made = [i for i, rule in enumerate(grafted.rows.provenance.rules) if rule == case.strategy]
    return grafted.rows, torch.tensor(made)


def gap(both: Both, name: str) -> tuple[int, float]:
    """How many rows were compared in each table, and the furthest that any are apart."""
    rows, made = ours(both.pair, CASES[name])
    apart = [(table[made] - both.theirs[name][NAMES[role]][made]).abs().max() for role, table in rows.tables.items()]
    return len(made), float(torch.stack(apart).max())


@pytest.mark.parametrize("name", [n for n in CASES if n not in ("subword", "landmark")])
def test_new_rows_agree(both: Both, name: str) -> None:
    compared, furthest = gap(both, name)
    print(f"{name}: {compared} rows, furthest apart {furthest:.1e}")
    assert compared > 100
    assert furthest < CASES[name].tolerance


def test_shared_rows_are_the_models_own_on_both_sides(both: Both) -> None:
    rows, made = ours(both.pair, CASES["omp-8"])
    kept = [i for i, rule in enumerate(rows.provenance.rules) if rule == "bytes"]
    assert len(kept) > 100
    for role, table in rows.tables.items():
        assert torch.equal(table[kept], both.theirs["omp-8"][NAMES[role]][kept])
    assert len(kept) + len(made) + 2 == len(rows.provenance.rules)


@pytest.mark.parametrize("both", ["byte-level-untied"], indirect=True)
def test_pieces_of_plain_text_agree_and_mergekit_reads_other_bytes_as_letters(both: Both) -> None:
    """``Ð¾`` is two bytes of Cyrillic in a byte-level tokenizer; mergekit splits it as the letters it looks like.

    (SentencePiece tokens inside a word it splits as if they started one; they are not compared.)
    """
    target = load_vocabulary(both.pair.donor)
    rows, made = ours(both.pair, CASES["subword"])
    plain = torch.tensor([max(target.surfaces.texts[i]) < 128 for i in made])
    assert int(plain.sum()) > 200
    assert int((~plain).sum()) > 20
    for role, table in rows.tables.items():
        apart = (table[made] - both.theirs["subword"][NAMES[role]][made]).abs().amax(1)
        assert float(apart[plain].max()) < TOLERANCE
        assert float(apart[~plain].min()) > 1e-3


@pytest.mark.parametrize("both", ["sentencepiece-tied"], indirect=True)
def test_mergekit_turns_the_landmark_map_the_wrong_way_round(both: Both) -> None:
    """In principal axes mergekit's rotation is the transpose of the one that brings the landmarks closest.

    With unequal widths nothing can be compared: its randomised axes move its own rows, from one seed to another, as far
    as they are from ours (0.1 for entries of 0.02).
    """
    source, target = load_vocabulary(both.pair.model), load_vocabulary(both.pair.donor)
    alignment = align(source, target)
    tables = [load_file(folder / "model.safetensors")[NAMES[Role.INPUT]] for folder in vars(both.pair).values()]
    x, y = tables[1][alignment.matched].double(), tables[0][alignment.source_ids[alignment.matched]].double()
    _, made = ours(both.pair, CASES["landmark"])
    (axes_x, axes_y), new = (torch.linalg.svd(t - t.mean(0)).Vh for t in (x, y)), tables[1][made].double()
    theirs = both.theirs["landmark"][NAMES[Role.INPUT]][made].double()
    turned = torch.linalg.lstsq(new - x.mean(0), theirs - y.mean(0)).solution
    best = pca_procrustes(x, y).weight
    # The axes' signs are arbitrary, so entries are compared without theirs. Theirs come out of float32 rows by least
    # squares and out of randomised axes: four runs were 1e-5 to 1.3e-4 apart, and 0.5 from the rotation unturned.
    rotations = [(axes_x @ weight @ axes_y.T).abs() for weight in (turned, best)]
    torch.testing.assert_close(rotations[0], rotations[1].T, atol=1e-3, rtol=0)
    misses = [float(((x - x.mean(0)) @ weight - (y - y.mean(0))).norm()) for weight in (turned, best)]
    assert misses[1] < 0.9 * misses[0]

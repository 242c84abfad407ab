"""Orthogonal matching pursuit: against a plain double-precision one, both ways of scoring, and its odd cases."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from lexigraft.core.linalg.omp import Pursued, pursue
from lexigraft.core.linalg.omp_scores import gram_saves_time

BUDGET = 2**28


def naive(vectors: torch.Tensor, atoms: torch.Tensor, k: int) -> tuple[list[list[int]], npt.NDArray[np.float64]]:
    """One vector at a time, by the definition; returns the atoms taken and what they rebuild."""
    queries, table = vectors.double().numpy(), atoms.double().numpy()
    taken, rebuilt = [], np.zeros_like(queries)
    for n, query in enumerate(queries):
        ids: list[int] = []
        for _ in range(k):
            scores = np.abs(table @ (query - rebuilt[n]))
            scores[ids] = -1
            ids.append(int(scores.argmax()))
            rebuilt[n] = np.linalg.lstsq(table[ids].T, query, rcond=None)[0] @ table[ids]
        taken.append(ids)
    return taken, rebuilt


def rebuilt(found: Pursued, atoms: torch.Tensor) -> torch.Tensor:
    return (found.coefficients[:, :, None].double() * atoms.double()[found.atoms]).sum(1)


def drawn(rows: int, atoms: int, dim: int, common: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of very different lengths, as in embedding tables, with a direction that all share."""
    generator = torch.Generator().manual_seed(0)
    lengths = 0.01 * (0.5 + torch.rand(rows + atoms, 1, generator=generator))
    table = lengths * (torch.randn(rows + atoms, dim, generator=generator) + common)
    return table[:rows], table[rows:]


@pytest.fixture(params=["exact", "gram"])
def gram(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "gram")


@pytest.mark.parametrize(("dim", "common"), [(64, 0.0), (128, 0.5)])
def test_it_is_what_the_definition_gives(gram: bool, dim: int, common: float) -> None:
    vectors, atoms = drawn(40, 500, dim, common)
    wanted, rows = naive(vectors, atoms, 12)
    found = pursue(vectors, atoms, 12, budget=BUDGET, gram=gram)
    assert found.atoms.tolist() == wanted
    torch.testing.assert_close(rebuilt(found, atoms), torch.from_numpy(rows), atol=1e-8, rtol=0)


def test_the_budget_changes_nothing(gram: bool) -> None:
    vectors, atoms = drawn(30, 300, 96)
    whole, small = (pursue(vectors, atoms, 8, budget=b, gram=gram) for b in (BUDGET, 2**12))
    assert torch.equal(whole.atoms, small.atoms)
    torch.testing.assert_close(whole.coefficients, small.coefficients)


def test_all_atoms_are_plain_least_squares(gram: bool) -> None:
    # As many atoms as there are: the order of taking no longer matters.
    vectors, atoms = drawn(20, 24, 64)
    found = pursue(vectors, atoms, 24, budget=BUDGET, gram=gram)
    wanted = np.linalg.lstsq(atoms.T.double().numpy(), vectors.T.double().numpy(), rcond=None)[0]
    sorted_back = torch.zeros(20, 24).scatter_(1, found.atoms, found.coefficients)
    torch.testing.assert_close(sorted_back.double(), torch.from_numpy(wanted.T), atol=1e-5, rtol=1e-5)


def test_as_many_atoms_as_dimensions_rebuild_the_vector(gram: bool) -> None:
    vectors, atoms = drawn(20, 400, 16)
    found = pursue(vectors, atoms, 64, budget=BUDGET, gram=gram)
    assert int((found.atoms >= 0).sum(1).max()) == 16
    # A row ends when one part in 100,000 is left.
    gaps = (rebuilt(found, atoms) - vectors).norm(dim=1) / vectors.norm(dim=1)
    assert float(gaps.max()) < 2e-5


def test_a_vector_that_is_an_atom_takes_that_one(gram: bool) -> None:
    _, atoms = drawn(0, 50, 32)
    atoms = atoms / atoms.norm(dim=1, keepdim=True)
    found = pursue(3 * atoms[:5], atoms, 8, budget=BUDGET, gram=gram)
    assert found.atoms[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert int((found.atoms[:, 1:] >= 0).sum()) == 0
    torch.testing.assert_close(found.coefficients[:, 0], torch.full((5,), 3.0))


def test_atoms_twice_and_atoms_of_zeros_are_taken_once_and_never(gram: bool) -> None:
    vectors, atoms = drawn(10, 20, 64)
    padded = torch.cat([atoms, atoms, torch.zeros(5, 64)])
    plain, found = (pursue(vectors, table, 64, budget=BUDGET, gram=gram) for table in (atoms, padded))
    assert found.atoms.shape == (10, 45)
    assert torch.equal(torch.where(found.atoms < 0, -1, found.atoms % 20)[:, :20], plain.atoms)
    torch.testing.assert_close(found.coefficients[:, :20], plain.coefficients)
    assert bool((found.atoms[:, 20:] < 0).all())


def test_nothing_to_lean_on(gram: bool) -> None:
    vectors, atoms = drawn(3, 4, 32)
    for rows, table in ((vectors, atoms[:0]), (vectors[:0], atoms), (vectors, 0 * atoms), (0 * vectors, atoms)):
        found = pursue(rows, table, 2, budget=BUDGET, gram=gram)
        assert bool((found.atoms < 0).all())
        assert not bool(found.coefficients.any())
    # Orthogonal to every atom.
    aside = pursue(torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 0.0], [2.0, 0.0]]), 2, budget=BUDGET, gram=gram)
    assert bool((aside.atoms < 0).all())


def test_units_do_not_matter(gram: bool) -> None:
    vectors, atoms = drawn(10, 100, 64)
    small, large = (
        pursue(1e-6 * vectors, 1e-3 * atoms, 8, budget=BUDGET, gram=gram),
        pursue(vectors, atoms, 8, budget=BUDGET, gram=gram),
    )
    assert torch.equal(small.atoms, large.atoms)
    torch.testing.assert_close(1e3 * small.coefficients, large.coefficients)


def test_inputs_stay_as_they_were(gram: bool) -> None:
    vectors, atoms = drawn(10, 100, 64)
    before = vectors.clone(), atoms.clone()
    pursue(vectors, atoms, 8, budget=BUDGET, gram=gram)
    assert torch.equal(vectors, before[0])
    assert torch.equal(atoms, before[1])


def clustered() -> tuple[torch.Tensor, torch.Tensor]:
    """Near-twins in clusters of eight, one direction that outweighs all others, and a falling spectrum."""
    generator = torch.Generator().manual_seed(2)
    spectrum = torch.arange(1, 193) ** -0.7
    spectrum[0] = 3
    centres = torch.randn(60, 192, generator=generator)
    vectors, atoms = (
        (centres.repeat(n, 1) + 0.3 * torch.randn(60 * n, 192, generator=generator)) * spectrum for n in (1, 8)
    )
    return vectors, atoms


@pytest.mark.parametrize("max_candidates", [0, 2, 64])
def test_half_precision_never_decides(max_candidates: int) -> None:
    # However few candidates a row may have before it is multiplied out, the atoms are the exact ones.
    found = [
        pursue(*clustered(), 40, budget=BUDGET, gram=gram, max_candidates=max_candidates) for gram in (True, False)
    ]
    assert torch.equal(found[0].atoms, found[1].atoms)
    torch.testing.assert_close(found[0].coefficients, found[1].coefficients, atol=1e-4, rtol=1e-3)


def test_the_gram_matrix_is_used_where_it_fits_and_pays() -> None:
    assert gram_saves_time(20_000, 30_000, 1024, 32, 2**32)
    assert not gram_saves_time(20_000, 30_000, 1024, 32, 2**31)
    assert not gram_saves_time(20_000, 30_000, 64, 64, 2**40)
    assert not gram_saves_time(10, 30_000, 1024, 32, 2**40)

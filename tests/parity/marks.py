"""Marks that several comparisons share."""

from __future__ import annotations

import pytest

from parity.sentencepiece_pairs import DATA

REAL = [pytest.mark.real, pytest.mark.skipif(not DATA.exists(), reason=f"no real data at {DATA}")]
"""For what reads real data: skipped where there is none."""

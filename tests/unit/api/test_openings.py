"""What is opened is opened once: a graft's source and copy, and what the cells of a comparison share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig

from fixtures.commands import write_files
from fixtures.recipes import tiny_recipe
from lexigraft.api.compare.run import compare
from lexigraft.api.graft import graft
from lexigraft.core.data import corpus
from lexigraft.core.models import disk_model
from lexigraft.core.tokenization.vocabulary import Vocabulary


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often things are opened from here on; everything goes on as it would."""
    counts: Counter[str] = Counter()

    def count(owner: Any, name: str, label: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def counting(*arguments: Any, **options: Any) -> Any:
            counts[label] += 1
            return original(*arguments, **options)

        monkeypatch.setattr(owner, name, counting)

    count(AutoConfig, "from_pretrained", "configurations")
    count(Vocabulary, "of", "vocabularies")
    count(disk_model, "empty_model", "empty models")
    count(disk_model, "open_checkpoint", "checkpoints")
    count(corpus, "read_lines", "texts")
    return counts


def test_a_graft_opens_source_target_and_copy_once(tmp_path: Path, opened: Counter[str]) -> None:
    files = write_files(tmp_path)
    opened.clear()
    graft(str(files.source), str(files.target), "subword_mean", out=tmp_path / "out")
    assert opened["vocabularies"] == 2  # source, target
    # The source, the copy that is verified, what AutoTokenizer reads of it, and five readings of the written file alone
    # which show that the keys added to it change nothing.
    assert opened["configurations"] == 3 + 5
    assert opened["checkpoints"] == 2
    assert opened["empty models"] == 2


def test_cells_share_texts_and_vocabularies(tmp_path: Path, opened: Counter[str]) -> None:
    recipe = tiny_recipe(
        tmp_path,
        strategies=["random", "mean", "subword_mean"],
        reference="random",
        seeds=[0, 1],
        poor_model=None,
        gold_links=None,
        dictionary=None,
        adaptation={"steps": 0},
        tracking={"enabled": False},
    )
    compare(recipe, tmp_path / "out")
    assert opened["vocabularies"] <= 3  # source, target once trained, target once read
    assert opened["configurations"] == 2  # the source, and what AutoTokenizer reads of the trained tokenizer
    assert opened["empty models"] == 1
    assert opened["texts"] == 2  # training text, held-out source text

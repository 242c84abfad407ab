"""What the tests of the command line stand on."""

from __future__ import annotations

import pytest

from fixtures.commands import Files, write_files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A source model, a target tokenizer and texts on disk; no test changes them."""
    return write_files(tmp_path_factory.mktemp("files"))

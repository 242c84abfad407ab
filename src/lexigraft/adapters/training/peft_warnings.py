"""Suppression of two PEFT warnings about expected situations."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def expected_peft_warnings() -> Iterator[None]:
    """Silence PEFT where it uses an old name of transformers, or corrects a configuration that wrongly says "tied".

    mT5-like models hold two tables although their configuration says they are tied; PEFT corrects it on merging.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        warnings.filterwarnings("ignore", "Input and output embeddings are no longer tied", UserWarning)
        yield

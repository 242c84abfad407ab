"""Several adapters of one model, mixed and written as one model."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.folder import FACTS, write_model
from lexigraft.core.models.extra_files import copy_extra_files
from lexigraft.core.models.loading import load_model
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.utils.files import refuse_existing, whole_folder
from lexigraft.core.utils.versions import versions

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class MixedAdapters:
    """What was written.

    Attributes:
        base: Folder or Hub name of the model that the adapters were trained from.
        weights: The weight of each adapter, by its folder.
        out: The folder that was written.
    """

    base: str
    weights: Mapping[str, float]
    out: Path

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"out": str(self.out)}


def mix_adapters(weights: Mapping[str | Path, float], base: str | None = None) -> PreTrainedModel:
    """Apply several adapters of LoRA layers, such as one for each language, to one model, each with a weight.

    Args:
        weights: The weight of each adapter, by its folder. Each was written by ``adapt(..., export="adapter")`` with
            ``embeddings`` and ``head`` frozen, so that it holds LoRA layers alone. Every weight of the model changes by
            the weighted sum of what the adapters change it by.
        base: Folder or Hub name of the model before adaptation; by default the one that all adapters name.

    Returns:
        The model with the mixture on the CPU, merged, in evaluation mode.

    Raises:
        LexigraftError: A folder holds no adapter, one of another model or one with tables, the adapters name different
            models, a weight is not finite, or the base model cannot be read.
    """
    from lexigraft.adapters.training import saved_adapter

    folders = {Path(folder): weight for folder, weight in weights.items()}
    return saved_adapter.mix_adapters(load_model(_base(folders, base)), folders)


def write_mixed_adapters(
    weights: Mapping[str | Path, float], out: str | Path, *, base: str | None = None, force: bool = False
) -> MixedAdapters:
    """Write the model that :func:`mix_adapters` makes, with the base model's tokenizer.

    Args:
        weights: As for :func:`mix_adapters`.
        out: The folder to write.
        base: As for :func:`mix_adapters`.
        force: Replace the folder if it exists.

    Raises:
        LexigraftError: As :func:`mix_adapters`, or the folder exists.
    """
    out = Path(out)
    refuse_existing(out, force)
    named = {Path(folder): weight for folder, weight in weights.items()}
    base = _base(named, base)
    vocabulary = load_vocabulary(base)
    model = mix_adapters(weights, base)
    made = MixedAdapters(base, {str(folder): weight for folder, weight in named.items()}, out)
    with whole_folder(out, force) as folder:
        write_model(folder, model, vocabulary)
        copy_extra_files(Path(base).expanduser(), folder)
        record = made.as_json() | {"versions": versions()}
        (folder / FACTS).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return made


def _base(weights: Mapping[Path, float], given: str | None) -> str:
    """Folder or Hub name of the model that is given, or that all adapters name."""
    from lexigraft.adapters.training.saved_adapter import base_of

    if not weights:
        raise LexigraftError("no adapter to mix", hint="Give at least one folder with its weight")
    for folder, weight in weights.items():
        if not math.isfinite(weight):
            raise LexigraftError("the weight of an adapter is not finite", f"{folder}: {weight}")
    if given:
        return given
    bases = {folder: base_of(folder) for folder in weights}
    if len({Path(base).expanduser().resolve() for base in bases.values()}) > 1:
        shown = ", ".join(f"{folder} of {base}" for folder, base in bases.items())
        hint = "Mix adapters of one grafted model; where all of these are, give it: --base MODEL, or base= in Python"
        raise LexigraftError("the adapters were trained from different models", shown, hint)
    return next(iter(bases.values()))

"""What the author of an objective imports."""

from __future__ import annotations

from lexigraft.core.config.input_files import Files, InputFile
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import ModelKind
from lexigraft.core.training.extended_objective import AddedTerm, ExtendedObjective
from lexigraft.core.training.mixed_text import MixedText
from lexigraft.core.training.objective import Objective, ObjectiveData
from lexigraft.core.training.packing import PackedText, TrainingText, pack

__all__ = [
    "AddedTerm",
    "ExtendedObjective",
    "Files",
    "InputFile",
    "LexigraftError",
    "MixedText",
    "ModelKind",
    "Objective",
    "ObjectiveData",
    "PackedText",
    "TrainingText",
    "pack",
]

"""What the author of an evaluator imports.

The helpers are those that the built-in evaluators share; `docs/guides/write-an-evaluator.md` has them in a table.
"""

from __future__ import annotations

from lexigraft.core.data.readers import read_lines
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import (
    EvaluationContext,
    EvaluationData,
    Evaluator,
    Files,
    InputFile,
    Sample,
    TextData,
    TextEvaluator,
)
from lexigraft.core.evaluation.line_tokens import LineTokens, tokenize_lines
from lexigraft.core.evaluation.scores import ItemScores, Scores
from lexigraft.core.evaluation.scoring import Item, item_bits
from lexigraft.core.models.architecture import ModelKind, context_length, model_kind
from lexigraft.core.models.evaluation_mode import evaluation_mode
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.hashing import file_hash, hash_of
from lexigraft.core.utils.random_state import global_randomness_kept

__all__ = [
    "EvaluationContext",
    "EvaluationData",
    "Evaluator",
    "Files",
    "InputFile",
    "Item",
    "ItemScores",
    "LexigraftError",
    "LineTokens",
    "ModelKind",
    "Sample",
    "Scores",
    "TextData",
    "TextEvaluator",
    "Vocabulary",
    "context_length",
    "evaluation_mode",
    "file_hash",
    "global_randomness_kept",
    "hash_of",
    "item_bits",
    "model_kind",
    "read_lines",
    "tokenize_lines",
]

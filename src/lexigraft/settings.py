"""Settings that the functions of the Python API take, which are the sections of a recipe."""

from __future__ import annotations

from lexigraft.core.config.recipe import (
    AdaptSettings,
    CompareSettings,
    CorpusSettings,
    DictionarySettings,
    EvaluationSettings,
    ExecutionSettings,
    GraftSettings,
    ParallelSettings,
    Phase,
    PretrainSettings,
    StrategySettings,
    TokenizerSettings,
    TrackingSettings,
    VectorSettings,
    WordVectorSettings,
)
from lexigraft.core.config.tokenizer_changes import (
    ExtendSettings,
    LikeSettings,
    PruneSettings,
    TokenizerChangeSettings,
)

__all__ = [
    "AdaptSettings",
    "CompareSettings",
    "CorpusSettings",
    "DictionarySettings",
    "EvaluationSettings",
    "ExecutionSettings",
    "ExtendSettings",
    "GraftSettings",
    "LikeSettings",
    "ParallelSettings",
    "Phase",
    "PretrainSettings",
    "PruneSettings",
    "StrategySettings",
    "TokenizerChangeSettings",
    "TokenizerSettings",
    "TrackingSettings",
    "VectorSettings",
    "WordVectorSettings",
]

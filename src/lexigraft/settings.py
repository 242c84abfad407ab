"""Settings that the functions of the Python API take, which are the sections of a recipe."""

from __future__ import annotations

from lexigraft.core.config.adaptation import AdaptSettings, LearningRates, Phase
from lexigraft.core.config.evaluation import EvaluationSettings
from lexigraft.core.config.mixture import MixtureSettings
from lexigraft.core.config.recipe import (
    CompareSettings,
    CorpusSettings,
    DictionarySettings,
    ExecutionSettings,
    GraftSettings,
    ParallelSettings,
    PretrainSettings,
    TokenizerSettings,
    TrackingSettings,
    VectorSettings,
    WordVectorSettings,
)
from lexigraft.core.config.strategy_entries import StrategySettings
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
    "LearningRates",
    "LikeSettings",
    "MixtureSettings",
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

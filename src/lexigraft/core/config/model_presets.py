"""Configurations of models trained from scratch, by preset name."""

from __future__ import annotations

from typing import Any

_ROBERTA: dict[str, Any] = {
    "model_type": "roberta",
    "type_vocab_size": 1,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
_BERT = _ROBERTA | {"model_type": "bert", "type_vocab_size": 2}
_LLAMA: dict[str, Any] = {"model_type": "llama", "tie_word_embeddings": True, "attention_dropout": 0.0}
_TINY = {"hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
_SMALL = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12}

MODEL_PRESETS: dict[str, dict[str, Any]] = {
    "roberta-tiny": _ROBERTA | _TINY | {"intermediate_size": 1024},
    "roberta-small": _ROBERTA | _SMALL | {"intermediate_size": 1536},
    "bert-tiny": _BERT | _TINY | {"intermediate_size": 1024},
    "bert-small": _BERT | _SMALL | {"intermediate_size": 1536},
    "llama-tiny": _LLAMA | _TINY | {"num_key_value_heads": 4, "intermediate_size": 704},
    "llama-small": _LLAMA | _SMALL | {"num_key_value_heads": 12, "intermediate_size": 1024},
}
"""No dropout: a small model on little text underfits before it overfits. Llama presets are tied to save parameters."""

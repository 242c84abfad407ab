"""Model kind (masked, causal or encoder-decoder) and context length, from a model's configuration."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Literal

from lexigraft.core.errors import LexigraftError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel


ModelKind = Literal["masked", "causal", "seq2seq"]
_KINDS_HINT = "Give a masked, a causal or an encoder-decoder language model"
_IMAGES_HINT = (
    "It can be grafted; of models that read images, those are adapted and measured on text that continue a text alone, "
    "from left to right, such as LLaVA and Qwen-VL"
)


def model_kind(config: PreTrainedConfig) -> ModelKind:
    """Whether a model fills masks, continues text, or maps one sequence to another.

    Args:
        config: The model's configuration.

    Returns:
        The kind.

    Raises:
        LexigraftError: The configuration is of none of these kinds.
    """
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

    architectures = getattr(config, "architectures", None) or ()
    if _continues_text_beside_images(config):
        return "causal"
    if architectures and not any(predicts_text(name) for name in architectures):
        # A bare encoder, a classifier, a discriminator: the kind of its configuration says nothing of its head.
        hint = _KINDS_HINT if getattr(config, "vision_config", None) is None else _IMAGES_HINT
        raise LexigraftError("this model predicts no text", ", ".join(architectures), hint)
    if getattr(config, "is_encoder_decoder", False):
        return "seq2seq"
    for architecture in architectures:
        if architecture.endswith("MaskedLM"):
            return "masked"
        if architecture.endswith(("CausalLM", "LMHeadModel")):
            return "causal"
    if type(config) in MODEL_FOR_MASKED_LM_MAPPING and not getattr(config, "is_decoder", False):
        return "masked"
    if type(config) in MODEL_FOR_CAUSAL_LM_MAPPING:
        return "causal"
    raise LexigraftError(
        "this model predicts no text",
        getattr(config, "model_type", type(config).__name__),
        _KINDS_HINT,
    )


def _continues_text_beside_images(config: PreTrainedConfig) -> bool:
    """Whether a model of images and text, such as LLaVA or Qwen-VL, also continues a text alone, from left to right.

    BLIP-2 does not without an image; PaliGemma, which tells kinds of tokens apart, reads a prompt in both directions.
    """
    import transformers

    name = next(iter(getattr(config, "architectures", None) or ()), "")
    known = transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING._model_mapping.values()
    if not any(name in ((names,) if isinstance(names, str) else names) for names in known):
        return False
    if getattr(config, "is_encoder_decoder", False) or config.get_text_config().is_encoder_decoder:
        return False
    takes = inspect.signature(getattr(transformers, name).forward).parameters
    return "pixel_values" in takes and takes["pixel_values"].default is None and "token_type_ids" not in takes


def predicts_text(architecture: str) -> bool:
    """Whether a class of this name has a plain language-model head: logits over the vocabulary for each position."""
    if architecture.endswith(("MaskedLM", "CausalLM", "LMHeadModel")):
        return True
    import transformers

    mappings = (transformers.MODEL_FOR_MASKED_LM_MAPPING, transformers.MODEL_FOR_CAUSAL_LM_MAPPING)
    for mapping in (*mappings, transformers.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING):
        # Names, not classes: those are imported one by one when they are looked up.
        for names in mapping._model_mapping.values():
            if architecture in ((names,) if isinstance(names, str) else names):
                return True
    return False


def context_length(model: PreTrainedModel, otherwise: int = 512) -> int:
    """The longest input the model takes; RoBERTa-like models lose the positions up to the padding's.

    Args:
        model: The model.
        otherwise: The context length of models that set no limit.

    Returns:
        Tokens.
    """
    config = model.config.get_text_config()
    for key in ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"):
        limit = getattr(config, key, None)
        if isinstance(limit, int) and limit > 0:
            break
    else:
        return otherwise
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            return limit - int(module.padding_idx) - 1
    return limit


_POSITION_TABLES = ("position_embeddings", "embed_positions", "wpe")


def refuse_long_sequences(model: PreTrainedModel, length: int) -> None:
    """Refuse sequences that are longer than a model's table of positions (models without a table take any length).

    Args:
        model: The model.
        length: Tokens in a sequence.

    Raises:
        LexigraftError: The table has fewer positions.
    """
    from torch.nn import Embedding

    for name, module in model.named_modules():
        if name.rpartition(".")[2] not in _POSITION_TABLES or not isinstance(module, Embedding):
            continue
        # RoBERTa numbers positions from behind the padding id, BART and OPT from an offset of their own.
        skipped = int(getattr(module, "offset", 0 if module.padding_idx is None else module.padding_idx + 1))
        if length > (limit := module.num_embeddings - skipped):
            raise LexigraftError(
                "training sequences are longer than the model takes",
                f"{length} tokens, {limit} positions in {name}",
                f"Set sequence_length (--sequence-length) to at most {limit}",
            )

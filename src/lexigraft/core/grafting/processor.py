"""Processor of a model that reads images too: what the new tokenizer takes over for it, and whether it loads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.text_model import has_other_sides
from lexigraft.core.tokenization.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_FILES = ("processor_config.json", "preprocessor_config.json")
_TOKEN_FIELDS = ("image_token_id", "image_token_index")
_SHOWN = 5
_HINT = "Train the target tokenizer with `lexigraft tokenizer train --like SOURCE`, which takes over its special tokens"


def take_over_settings(before: Vocabulary, after: Vocabulary) -> None:
    """Give a new tokenizer what a processor reads of the old one.

    That is the names of special tokens (``tokenizer.image_token``), the chat template where it has none of its own, and
    the names of the model's inputs: SigLIP's tokenizer gives no attention mask, so that its padding is read.

    Args:
        before: The source vocabulary.
        after: The new vocabulary, whose tokenizer is changed in place.
    """
    old, new = before.tokenizer, after.tokenizer
    for name in old.SPECIAL_TOKENS_ATTRIBUTES:
        string = str(getattr(old, name, None))
        if name not in new.SPECIAL_TOKENS_ATTRIBUTES and after.id_of(string) is not None:
            new.SPECIAL_TOKENS_ATTRIBUTES = [*new.SPECIAL_TOKENS_ATTRIBUTES, name]
            setattr(new, name, string)
    if new.chat_template is None:
        new.chat_template = old.chat_template


def check_processor(source: Path, out: Path, model: PreTrainedModel, after: Vocabulary) -> tuple[str, ...]:
    """Load the processor of a written model with plain transformers, and compare its tokens with the model's.

    Args:
        source: The folder of the source model.
        out: The written folder.
        model: The model, on the meta device or not; one that reads text only needs no processor.
        after: Its new vocabulary.

    Returns:
        A sentence for the user where the source has no processor, or none that loads on this machine.

    Raises:
        LexigraftError: The processor would write tokens that the model does not read.
        RuntimeError: The source's processor loads and that of the written folder does not.
    """
    if not has_other_sides(model):
        return ()
    if not any((source / name).is_file() for name in _FILES):
        found = f"{source} holds no processor of images or sound ({' or '.join(_FILES)})"
        return (f"{found}: AutoProcessor finds none in the graft",)
    processor, reason = _load(out)
    if processor is not None:
        _refuse_other_tokens(processor, model, after)
        return ()
    if _load(source)[0] is not None:
        raise RuntimeError(f"the processor of the written folder does not load: {reason}")
    return (f"the processor was copied and not checked: transformers cannot load the source's here ({reason})",)


def _load(folder: Path) -> tuple[Any, str]:
    """The processor of a folder; ``None`` with the reason where it does not load."""
    from transformers import AutoProcessor

    try:
        return AutoProcessor.from_pretrained(folder), ""
    except Exception as error:  # each processor and each image library raises its own kinds
        return None, next(iter(str(error).strip().splitlines()), type(error).__name__)


def _refuse_other_tokens(processor: Any, model: PreTrainedModel, after: Vocabulary) -> None:
    tokenizer = getattr(processor, "tokenizer", processor)
    if beyond := sorted(token for token, i in tokenizer.get_vocab().items() if i >= after.size):
        shown = ", ".join(beyond[:_SHOWN]) + (f" and {len(beyond) - _SHOWN:,} more" if len(beyond) > _SHOWN else "")
        raise LexigraftError(f"{type(processor).__name__} adds tokens that the target tokenizer lacks", shown, _HINT)
    written = getattr(processor, "image_token_id", None)
    read = next((i for f in _TOKEN_FIELDS if (i := getattr(model.config, f, None)) is not None), None)
    if None not in (written, read) and written != read:
        raise LexigraftError(
            f"{type(processor).__name__} writes another image token than the model reads", f"{written}, {read}", _HINT
        )

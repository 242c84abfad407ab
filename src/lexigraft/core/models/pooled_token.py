"""The token at whose place CLIP-like text towers read a whole text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.model_class import forward_reads
from lexigraft.core.tokenization.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_AT_HIGHEST = 2
"""With this end token in its configuration, CLIP reads at the highest id of a text, which is its end token's, 49407."""
_PROBE = "a"


def name_pooled_token(model: PreTrainedModel, before: Vocabulary, after: Vocabulary) -> None:
    """Write the true end token into the configuration of a tower that reads a text at its highest id.

    In another vocabulary the end token is not the highest id, and the id 2 of the configuration, which is any word's,
    would be mapped to that word's new place.

    Args:
        model: The model, changed in place; those that pool at no token stay as they are.
        before: Its old vocabulary.
        after: The vocabulary that it gets.

    Raises:
        LexigraftError: The old vocabulary's end token is not its highest id, the new one's has the id that stands for
            "the highest", or the new tokenizer adds none.
    """
    if not (towers := [module for module in model.modules() if _pools_at_end(module)]):
        return
    config, eos = model.config.get_text_config(), before.specials.get("eos")
    if config.eos_token_id == _AT_HIGHEST:
        if eos is None or eos != max(before.tokenizer(_PROBE)["input_ids"]) or eos == _AT_HIGHEST:
            raise LexigraftError(
                f"{type(model).__name__} reads a text at its highest id, which is no end token",
                f"eos_token_id is {_AT_HIGHEST}, the tokenizer's end token {eos}",
                "Set text_config.eos_token_id to the id of the token at which it was trained to read",
            )
        config.eos_token_id = eos
        for tower in towers:
            tower.eos_token_id = eos
    _refuse_without_end(model, after)


def _pools_at_end(module: Any) -> bool:
    return isinstance(vars(module).get("eos_token_id"), int) and forward_reads(module, "eos_token_id")


def _refuse_without_end(model: PreTrainedModel, after: Vocabulary) -> None:
    new, name = after.specials.get("eos"), type(model).__name__
    hint = "Train it with `lexigraft tokenizer train --like SOURCE`, which takes the source's end token and template"
    if new == _AT_HIGHEST:
        where = f"the target tokenizer's end token has the id {_AT_HIGHEST}"
        raise LexigraftError(f"{name} would read a text at its highest id, not at its end token", where, hint)
    if new is None or new not in after.tokenizer(_PROBE)["input_ids"]:
        where = "the target tokenizer adds no end token to a text"
        raise LexigraftError(f"{name} reads a text at its end token", where, hint)

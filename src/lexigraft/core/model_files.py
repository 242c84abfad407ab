"""Loading a model from disk or the Hub, refused early when its tables cannot be trusted; and seeing its tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.core.checkpoint import read_index, weight_files
from lexigraft.core.errors import LexigraftError
from lexigraft.core.moments import all_finite
from lexigraft.core.strategy import Role
from lexigraft.core.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel


@dataclass(frozen=True)
class Tables:
    """A model's embedding tables: live parameters, or what was read of them.

    Attributes:
        by_role: Tables by role; no OUTPUT when the tables are tied or there is no head.
        tied: Whether input and output are one table.
    """

    by_role: Mapping[Role, torch.Tensor]
    tied: bool


def load_config(path: str | Path, *, trust_remote_code: bool = False) -> PretrainedConfig:
    """A model's configuration, before any weights load.

    Raises:
        LexigraftError: No model there, a quantised or pickled checkpoint, or missing shards.
    """
    from transformers import AutoConfig

    local = Path(path).expanduser()
    if local.is_dir():
        _check_folder(local)
    elif local.exists() or str(path).startswith((".", "/", "~")) or str(path).count("/") > 1:
        raise LexigraftError("model not found", path, "Give a folder written by save_pretrained, or a Hub name")
    try:
        config = AutoConfig.from_pretrained(
            str(local) if local.is_dir() else str(path), trust_remote_code=trust_remote_code
        )
    except Exception as fault:  # transformers raises OSError, ValueError, JSONDecodeError, … for a bad configuration
        reason = next(iter(str(fault).strip().splitlines()), type(fault).__name__)
        raise LexigraftError("model configuration cannot be read", path, reason) from None
    if getattr(config, "quantization_config", None):
        raise LexigraftError(
            "model is quantised",
            path,
            "Its tables are not plain numbers; load and save it in bfloat16 or float32 first",
        )
    return config


def _check_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise LexigraftError(
            "folder holds no model (no config.json)", folder, "Give a folder written by save_pretrained"
        )
    weight_files(folder, read_index(folder))


def model_class(config: PretrainedConfig) -> Any:
    """The transformers class that the configuration names, or the fitting Auto class.

    Raises:
        LexigraftError: The class is not one of transformers', or none is named.
    """
    import transformers

    names = config.architectures or []
    cls = getattr(transformers, names[0], None) if names else None
    if cls is None:
        raise LexigraftError(
            "model class is not known",
            ", ".join(names) or "none named in config.json",
            "Set config.architectures to a transformers class",
        )
    return cls


def load_model(path: str | Path, *, trust_remote_code: bool = False, dtype: str = "auto") -> PreTrainedModel:
    """Load a model in evaluation mode from safetensors (sharded or not).

    Raises:
        LexigraftError: As :func:`load_config`, or weights that cannot be read.
    """
    from transformers.utils import logging as transformers_logging

    config = load_config(path, trust_remote_code=trust_remote_code)
    cls = model_class(config)
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        model: PreTrainedModel = cls.from_pretrained(
            str(Path(path).expanduser()) if Path(path).expanduser().is_dir() else str(path),
            dtype=dtype,
            use_safetensors=True,
        )
    except Exception as fault:  # safetensors, hub and transformers each raise their own kinds
        reason = next(iter(str(fault).strip().splitlines()), type(fault).__name__)
        raise LexigraftError("model weights cannot be read", path, reason) from fault
    return model.eval()


def tables_of(model: PreTrainedModel) -> Tables:
    """Find a model's tables by what the model itself answers, and tied tables by identity, not by configuration."""
    inputs = model.get_input_embeddings().weight
    head = model.get_output_embeddings()
    found: dict[Role, torch.Tensor] = {Role.INPUT: inputs}
    tied = False
    if head is not None:
        tied = head.weight is inputs or (not inputs.is_meta and head.weight.data_ptr() == inputs.data_ptr())
        if not tied:
            found[Role.OUTPUT] = head.weight
        bias = getattr(head, "bias", None)
        if bias is not None:
            found[Role.BIAS] = bias
        elif (late := getattr(model, "final_logits_bias", None)) is not None:
            raise LexigraftError(
                "model adds a logits bias outside its head",
                type(model).__name__,
                f"Shape {tuple(late.shape)} is not handled",
            )
    return Tables(found, tied)


def names_of(model: PreTrainedModel, parameter: Any) -> list[str]:
    """Every name under which a model has a parameter."""
    return [name for name, found in model.named_parameters(remove_duplicate=False) if found is parameter]


def check_tables(tables: Tables, vocabulary: Vocabulary, where: str | Path) -> None:
    """Refuse tables that do not fit the tokenizer or hold values that are not numbers.

    Raises:
        LexigraftError: Token ids beyond the table, or NaN or infinite values (with the first rows).
    """
    for role, table in tables.by_role.items():
        if len(table) < vocabulary.size:
            raise LexigraftError(
                f"tokenizer has ids beyond the {role} table of {where}",
                f"{vocabulary.size} ids for {len(table)} rows",
                "Tokenizer and model do not belong together, or tokens were added without resize_token_embeddings",
            )
        if bad := _not_finite(table):
            shown = ", ".join(map(str, bad[:5])) + (", …" if len(bad) > 5 else "")
            raise LexigraftError(
                f"the {role} table of {where} holds NaN or infinite values",
                f"{len(bad)} rows: {shown}",
                "The checkpoint is damaged",
            )


def _not_finite(table: torch.Tensor) -> list[int]:
    """Rows that hold NaN or infinite values."""
    return [] if all_finite(table) else [i for i, row in enumerate(table.detach()) if not all_finite(row)]

"""Loading of models from disk or the Hub."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.linalg.moments import all_finite
from lexigraft.core.models.bounds import refuse_endless, refuse_larger_than_stored
from lexigraft.core.models.checkpoint import read_index, weight_files
from lexigraft.core.models.missing_tensors import refuse_missing, refuse_not_finite
from lexigraft.core.models.tables import tables_of
from lexigraft.core.models.text_model import use_text_model
from lexigraft.core.utils.hub import require_on_hub
from lexigraft.core.utils.lfs import refuse_pointers

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel


def load_config(path: str | Path, *, trust_remote_code: bool = False) -> PretrainedConfig:
    """A model's configuration, before any weights load.

    Raises:
        LexigraftError: No model there, a quantized or pickled checkpoint, or missing shards.
    """
    from transformers import AutoConfig

    local = Path(path).expanduser()
    if local.is_dir():
        _check_folder(local)
    elif local.exists() or str(path).startswith((".", "/", "~")) or str(path).count("/") > 1:
        raise LexigraftError("model not found", path, "Give a folder written by save_pretrained, or a Hub name")
    else:
        require_on_hub(str(path))
    try:
        config = AutoConfig.from_pretrained(
            str(local) if local.is_dir() else str(path), trust_remote_code=trust_remote_code
        )
    except Exception as error:  # transformers raises OSError, ValueError, JSONDecodeError, … for a bad configuration
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise LexigraftError("model configuration cannot be read", path, reason) from None
    names = config.architectures
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise LexigraftError("model configuration cannot be read", path, "architectures is no list of names")
    if getattr(config, "quantization_config", None):
        raise LexigraftError(
            "model is quantized",
            path,
            "Its tables are not plain numbers; load and save it in bfloat16 or float32 first",
        )
    return config


def _check_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            raise LexigraftError(
                "folder holds an adapter, not a model",
                folder,
                "Give a whole model: `lexigraft adapt --export merged` writes one, or save the model that "
                "lexigraft.load_adapter(FOLDER) gives, with the base model's tokenizer",
            )
        raise LexigraftError(
            "folder holds no model (no config.json)", folder, "Give a folder written by save_pretrained"
        )
    refuse_pointers(folder / name for name in ("config.json", "generation_config.json"))
    refuse_endless(folder / "config.json")
    weight_files(folder, read_index(folder))


def model_class(config: PretrainedConfig) -> Any:
    """The transformers class that the configuration names, or the fitting Auto class.

    Raises:
        LexigraftError: The class is not one of transformers', or none is named.
    """
    import transformers

    names = config.architectures or []
    cls = getattr(transformers, names[0], None) if names else None
    if not (isinstance(cls, type) and issubclass(cls, transformers.PreTrainedModel)):
        raise LexigraftError(
            "model class is not known",
            ", ".join(names) or "none named in config.json",
            "Set config.architectures to a transformers class",
        )
    return cls


def load_model(
    path: str | Path,
    *,
    trust_remote_code: bool = False,
    dtype: str = "auto",
    config: PretrainedConfig | None = None,
    allow_missing: Sequence[str] = (),
    text_model: str | None = None,
) -> PreTrainedModel:
    """Load a model in evaluation mode from safetensors (sharded or not).

    Args:
        path: Folder or Hub name.
        trust_remote_code: Whether code that comes with a Hub model may run.
        dtype: As for transformers.
        config: The configuration, where it is read already; the model gets a copy.
        allow_missing: Patterns of tensor names that the checkpoint may lack; they get the class's own random values,
            the same every time.
        text_model: Path of the text model in it, where it is not found by itself: see :func:`use_text_model`.

    Raises:
        LexigraftError: As :func:`load_config` and :func:`use_text_model`, or weights that cannot be read, are missing,
            or hold NaN or infinite values.
    """
    import torch
    from transformers.utils import logging as transformers_logging

    config = copy.deepcopy(config) if config else load_config(path, trust_remote_code=trust_remote_code)
    cls = model_class(config)
    if (local := Path(path).expanduser()).is_dir():
        refuse_larger_than_stored(cls, config, weight_files(local, read_index(local)))
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            loaded: tuple[PreTrainedModel, dict[str, Any]] = cls.from_pretrained(
                str(local) if local.is_dir() else str(path),
                config=config,
                dtype=dtype,
                use_safetensors=True,
                output_loading_info=True,
            )
    except Exception as error:  # safetensors, hub and transformers each raise their own kinds
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise LexigraftError("model weights cannot be read", path, reason) from error
    model, info = loaded
    refuse_missing(info, path, allow_missing)
    use_text_model(model, text_model)
    tables = {id(table) for table in tables_of(model).by_role.values()}
    refuse_not_finite(
        [n for n, p in model.named_parameters() if id(p) not in tables and p.is_floating_point() and not all_finite(p)],
        path,
    )
    return model.eval()

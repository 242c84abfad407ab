"""Adapters in PEFT's format, written."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.adapters.training.lora import lora_owner
from lexigraft.core.utils.files import whole_folder

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.adapters.training.adapt import Adapted

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
"""PEFT's names."""
PREFIX = "base_model.model."
"""PEFT's prefix of the names of a model's own modules."""


def save_adapter(adapted: Adapted, out: Path) -> None:
    """Write what training changed, so that ``PeftModel.from_pretrained`` makes the adapted model of the base model.

    The model's own parameters that trained (tables, head, layers) stand in the file under their own names, as PEFT
    itself stores embeddings and biases: it writes them over those of the base model in place, and tied tables stay
    tied. (``modules_to_save`` copies modules, which unties tables, and ``trainable_token_indices`` drops the bias of a
    tied head.)

    Args:
        adapted: The result of :func:`lexigraft.adapters.training.adapt.adapt`.
        out: A folder that does not exist yet, or is empty.

    Raises:
        LexigraftError: The folder exists, or cannot be written.
    """
    from safetensors.torch import save_file

    lora, trained = _parts(adapted)
    own = _under_all_names(adapted.model, trained)
    config = _config(adapted, sorted({lora_owner(key.removeprefix(PREFIX)).removesuffix(".weight") for key in lora}))
    with whole_folder(Path(out), force=False) as partial:
        config.save_pretrained(partial)
        save_file({**lora, **own}, partial / WEIGHTS, metadata={"format": "pt"})
        (partial / "README.md").write_text(_card(adapted.model, config.base_model_name_or_path), encoding="utf-8")


def _parts(adapted: Adapted) -> tuple[dict[str, torch.Tensor], set[str]]:
    """LoRA layers, and names of the model's own parameters to write.

    A weight that trained in one phase and had LoRA in another is written merged, without LoRA.
    """
    trained = set(adapted.trained)
    modules = {name.rpartition(".")[0] for name in trained}
    lora = {}
    for key, value in adapted.lora.items():
        owner = lora_owner(key.removeprefix(PREFIX))
        if owner.rpartition(".")[0] in modules:
            trained.add(owner)
        else:
            lora[key] = value
    return lora, trained


def _under_all_names(model: PreTrainedModel, trained: set[str]) -> dict[str, torch.Tensor]:
    """Parameters by all of their names.

    A tied table is written several times: where a loader puts the file's tensors in the place of the model's
    (transformers' ``from_pretrained`` of an adapter, PEFT's ``low_cpu_mem_usage``), every name needs its own.
    """
    named = dict(model.named_parameters(remove_duplicate=False))
    wanted = {id(named[name]) for name in trained}
    return {PREFIX + name: p.detach().cpu().clone().contiguous() for name, p in named.items() if id(p) in wanted}


def _config(adapted: Adapted, targets: list[str]) -> Any:
    """The PEFT configuration, which makes exactly the LoRA layers that are written."""
    from peft import LoraConfig
    from peft.utils.constants import DUMMY_TARGET_MODULES

    config = copy.deepcopy(adapted.lora_config) or LoraConfig()
    config.inference_mode = True
    config.target_modules = targets or DUMMY_TARGET_MODULES
    kind = type(adapted.model)
    config.auto_mapping = {"base_model_class": kind.__name__, "parent_library": kind.__module__}
    base = adapted.model.name_or_path
    config.base_model_name_or_path = str(Path(base).absolute()) if base and Path(base).is_dir() else base or None
    return config


def _card(model: PreTrainedModel, base: str | None) -> str:
    kind = type(model).__name__
    front = f"base_model: {base}\n" if base else ""
    base = base or "BASE_MODEL"
    return f"""---
library_name: peft
{front}tags: [lexigraft, vocabulary-transfer]
---
# Adapter of a grafted model

What `lexigraft adapt` changed in the model `{base}`: LoRA layers, and the tables and other weights of the model itself
that trained. The tokenizer is the base model's.

With PEFT:

```python
from peft import PeftModel
from transformers import {kind}

base = {kind}.from_pretrained({base!r})
model = PeftModel.from_pretrained(base, "FOLDER_OF_THIS_FILE")
```

PEFT writes the trained tables over those of `base`. They stay when the adapter is switched off or unloaded: load the
base model again to have it as it was.

With Lexigraft, merged (where the base model has moved, its new path is the second argument):

```python
import lexigraft

model = lexigraft.load_adapter("FOLDER_OF_THIS_FILE")
```

`lexigraft evaluate FOLDER_OF_THIS_FILE --heldout FILE` measures it. To merge it into a model of its own:

```python
merged = model.merge_and_unload()  # PEFT; lexigraft.load_adapter has merged already
merged.save_pretrained("MERGED")
```
"""

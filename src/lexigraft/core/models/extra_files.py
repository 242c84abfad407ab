"""Files beside a model that do not depend on its vocabulary."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.config_files import keep_config
from lexigraft.core.models.token_ids import holds_ids

MODULES, GENERATION = "modules.json", "generation_config.json"
_NAMES = (
    MODULES,
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "processor_config.json",
    "chat_template.json",
)
_FURTHER_TOKENIZERS = ("qformer_tokenizer",)
PATTERNS = (
    *_NAMES,
    *(f"{name}/*" for name in _FURTHER_TOKENIZERS),
    "[0-9]*_*/*.json",
    "[0-9]*_*/*.safetensors",
    "[0-9]*_*/*.bin",
)
"""Their names as patterns, for a download."""


def copy_extra_files(source: Path, out: Path) -> None:
    """Copy a model's further files to another folder, where there is nothing of the same name yet.

    Those are the modules after the transformer in a folder of sentence-transformers (pooling, dense layers,
    normalization), which ``modules.json`` lists, the settings of a processor of images or sound, and InstructBLIP's
    second tokenizer, with which its Q-Former reads the text. Generation settings are kept but for their ids, the
    configuration but for what differs.

    Args:
        source: The model's folder.
        out: The folder of the model with another vocabulary.

    Raises:
        LexigraftError: ``modules.json`` is damaged.
    """
    for name in _NAMES:
        if (source / name).is_file() and not (out / name).exists():
            shutil.copyfile(source / name, out / name)
    for folder in (*_module_folders(source), *_FURTHER_TOKENIZERS):
        for path in sorted((source / folder).rglob("*")):
            copy = out / path.relative_to(source)
            if path.is_file() and not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
    _keep_settings(source / GENERATION, out / GENERATION)
    keep_config(source, out)


def _keep_settings(source: Path, out: Path) -> None:
    """Write generation settings as the source has them, keys that transformers does not know too, with the new ids."""
    if not source.is_file() or not out.is_file():
        return
    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (source, out))
    kept = {key: value for key, value in old.items() if not holds_ids(key)}
    ids = {key: value for key, value in new.items() if holds_ids(key) or key == "transformers_version"}
    out.write_text(json.dumps(kept | ids, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def refuse_damaged_modules(source: Path) -> None:
    """Refuse a folder whose ``modules.json`` cannot be followed.

    Raises:
        LexigraftError: It is no list of modules, or it names a folder outside the model's.
    """
    list(_module_folders(source))


def _module_folders(source: Path) -> Iterator[str]:
    if not (source / MODULES).is_file():
        return
    try:
        paths = [module["path"] for module in json.loads((source / MODULES).read_text(encoding="utf-8"))]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise LexigraftError(f"{MODULES} is damaged", source, f"{type(error).__name__}: {error}") from None
    for path in paths:
        if not isinstance(path, str) or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise LexigraftError(f"{MODULES} names a folder outside the model's", path, str(source))
        if PurePosixPath(path).parts:
            yield path

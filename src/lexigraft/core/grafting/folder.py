"""The folder of a grafted model."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.rows import Provenance
from lexigraft.core.models.architecture import context_length
from lexigraft.core.models.config_files import add_older_keys
from lexigraft.core.models.loading import load_model
from lexigraft.core.models.tables import Role, tables_of
from lexigraft.core.tokenization.files.saving import save_tokenizer
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.lfs import refuse_pointers

if TYPE_CHECKING:
    from transformers import PreTrainedModel


FACTS, PROVENANCE = "lexigraft.json", "provenance.parquet"
COLUMNS = ["target_id", "token", "rule", "source_ids", "weights"]
"""Of the provenance."""
INPUTS = ("input_ids", "attention_mask")
"""What a tokenizer gives a model."""


def write_model(folder: Path, model: PreTrainedModel, vocabulary: Vocabulary, inputs: Sequence[str] = INPUTS) -> None:
    """Save a model and its tokenizer in transformers' own format."""
    _disable_progress_bar()
    _save(model, folder)
    write_tokenizer(folder, model, vocabulary, inputs)


def write_settings(folder: Path, model: PreTrainedModel) -> None:
    """Save a model's configuration and generation settings without weights; the model may be on the meta device."""
    _disable_progress_bar()
    # Into a temporary folder, because save_pretrained deletes the shards of other checkpoints that it finds.
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        _save(model, Path(temporary), state_dict={})
        for path in Path(temporary).iterdir():
            if path.suffix != ".safetensors":
                os.replace(path, folder / path.name)


def _save(model: PreTrainedModel, folder: Path, **options: Any) -> None:
    """Save a model; generation settings are written as they are, also those that transformers refuses to save.

    Many published models have sampling settings without ``do_sample``; transformers saves such settings only where
    nothing has changed in them, not even a special id.
    """
    from transformers import GenerationConfig

    own = getattr(model, "generation_config", None)
    if own is None or not model.can_generate():
        model.save_pretrained(folder, **options)
    else:
        model.generation_config = GenerationConfig()
        try:
            model.save_pretrained(folder, **options)
        finally:
            model.generation_config = own
        own.to_json_file(folder / "generation_config.json", use_diff=True, keys_to_pop=["compile_config"])
    add_older_keys(folder)


def write_tokenizer(
    folder: Path, model: PreTrainedModel, vocabulary: Vocabulary, inputs: Sequence[str] = INPUTS
) -> None:
    """Save the tokenizer, with the input names and the maximum length of the model."""
    tokenizer = vocabulary.tokenizer
    tokenizer.model_input_names = list(inputs)
    tokenizer.model_max_length = min(tokenizer.model_max_length, context_length(model, tokenizer.model_max_length))
    save_tokenizer(tokenizer, folder)


def _disable_progress_bar() -> None:
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()


def verify_model(folder: Path, model: PreTrainedModel) -> None:
    """Load the folder with plain transformers and compare: same logits bit for bit, same ties.

    Raises:
        RuntimeError: The saved model differs from the model in memory; the folder must not be kept.
    """
    import torch

    reloaded = load_model(folder)
    model.eval()
    if tables_of(reloaded).tied != tables_of(model).tied:
        raise RuntimeError("tied tables did not survive saving")
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(len(tables_of(model).by_role[Role.INPUT]), (2, 8), generator=generator)
    inputs: dict[str, Any] = {"input_ids": ids}
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = ids
    with torch.no_grad():
        if not torch.equal(model(**inputs).logits, reloaded(**inputs).logits):
            raise RuntimeError("the saved model gives other logits than the model in memory")


def write_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write ``lexigraft.json``."""
    (folder / FACTS).write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_provenance(
    folder: Path, provenance: Provenance, vocabulary: Vocabulary, source: Vocabulary | None = None
) -> Path:
    """Write ``provenance.parquet``: target_id, token, rule, source_ids, weights.

    Args:
        folder: Where to.
        provenance: Where each row came from.
        vocabulary: The target vocabulary.
        source: The vocabulary of the source ids, for a column ``source_tokens``.

    Returns:
        The file.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    mix = provenance.mix
    lists = [pa.LargeListArray.from_arrays(pa.array(mix.indptr), pa.array(v)) for v in (mix.indices, mix.weights)]
    columns = {
        "target_id": pa.array(np.arange(len(mix), dtype=np.int32)),
        "token": pa.array(list(vocabulary.tokens)),
        "rule": pa.array(provenance.rules).dictionary_encode(),
        "source_ids": lists[0],
        "weights": lists[1],
    }
    if source is not None:
        tokens = pa.DictionaryArray.from_arrays(pa.array(mix.indices), pa.array(list(source.tokens)))
        columns["source_tokens"] = pa.LargeListArray.from_arrays(pa.array(mix.indptr), tokens)
    path = folder / PROVENANCE
    pq.write_table(pa.table(columns), path)
    return path


def write_card(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the model card."""
    counts = facts["counts"]
    matched = ", ".join(f"{rule} {n:,}" for rule, n in counts["matched"].items() if n)
    text = f"""---
library_name: transformers
base_model: {facts["source"]["model"]}
tags: [lexigraft, vocabulary-transfer]
---
# {facts["source"]["model"]} with a new vocabulary

Grafted with Lexigraft {facts["versions"]["lexigraft"]}, strategy **{facts["strategy"]}**
(body: {facts["body"]}, seed {facts["seed"]}).
The rows are first estimates: adapt the model on target text before use (`lexigraft adapt`).

| tokens | matched | new | covered by the strategy | fallback |
|---|---|---|---|---|
| {counts["target_tokens"]:,} | {matched or 0} | {counts["new"]:,} | {counts["covered"]:,} | {counts["fallback"]:,} |

`provenance.parquet` names the source rows behind each token; `lexigraft explain . --token TEXT` shows one.
"""
    (folder / "README.md").write_text(text, encoding="utf-8")


def read_provenance(folder: Path) -> dict[str, list[Any]]:
    """The columns of ``provenance.parquet``: target_id, token, rule, source_ids, weights.

    Raises:
        LexigraftError: The folder holds no provenance, or a damaged one.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    path = folder / PROVENANCE
    if not path.is_file():
        raise LexigraftError("folder holds no provenance", path, "Give a folder that `lexigraft graft` wrote")
    refuse_pointers([path])
    hint = "Graft again; `lexigraft graft` writes the file beside the model"
    try:
        table = pq.read_table(path)
        if missing := [name for name in COLUMNS if name not in table.column_names]:
            raise LexigraftError("provenance lacks columns", f"{path}: {', '.join(missing)}", hint)
        for name, holds in (("source_ids", pa.types.is_integer), ("weights", pa.types.is_floating)):
            kind = table.schema.field(name).type
            listed = pa.types.is_list(kind) or pa.types.is_large_list(kind)
            if not listed or not holds(kind.value_type) or pc.list_flatten(table[name]).null_count:
                raise LexigraftError("provenance is damaged", f"{path}: {name} is {kind}", hint)
        columns: dict[str, list[Any]] = table.select(COLUMNS).to_pydict()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise LexigraftError("provenance is damaged", f"{path}: {' '.join(str(error).split())[:200]}", hint) from None
    ids, rules, sources, weights = (columns[name] for name in ("target_id", "rule", "source_ids", "weights"))
    if (
        ids != list(range(len(ids)))
        or not all(isinstance(rule, str) for rule in rules)
        or not all(
            isinstance(s, list) and isinstance(w, list) and len(s) == len(w)
            for s, w in zip(sources, weights, strict=True)
        )
    ):
        raise LexigraftError("provenance is damaged", path, hint)
    return columns


def read_facts(folder: Path) -> dict[str, Any]:
    """The content of ``lexigraft.json``.

    Raises:
        LexigraftError: It is missing or damaged.
    """
    path = folder / FACTS
    hint = "Give a folder that `lexigraft graft` wrote, or graft again"
    refuse_pointers([path])
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LexigraftError("the folder's facts cannot be read", path, f"{error.strerror}. {hint}") from None
    except (ValueError, RecursionError) as error:
        raise LexigraftError("the folder's facts are damaged", path, f"{error}. {hint}") from None
    if not isinstance(facts, dict):
        raise LexigraftError("the folder's facts are damaged", path, hint)
    return facts


def new_rows(folder: Path) -> list[int]:
    """Ids of the rows that were not copied from the source by a match rule."""
    from lexigraft.core.tokenization.matching.alignment import DEFAULT_RULES, RELAXED_RULES

    columns = read_provenance(folder)
    copied = {*DEFAULT_RULES, *RELAXED_RULES}
    return [i for i, rule in zip(columns["target_id"], columns["rule"], strict=True) if rule not in copied]

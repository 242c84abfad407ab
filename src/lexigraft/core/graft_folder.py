"""Writing a grafted model so that it loads with plain transformers, tells where each row came from, and is verified."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.core.atomic import sync_tree
from lexigraft.core.errors import LexigraftError
from lexigraft.core.model_files import load_model, tables_of
from lexigraft.core.rows import Provenance
from lexigraft.core.scoring import context_length
from lexigraft.core.strategy import Role
from lexigraft.core.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FACTS, PROVENANCE = "lexigraft.json", "provenance.parquet"


def refuse_existing(out: Path, force: bool) -> None:
    """Refuse an output folder that exists.

    Raises:
        LexigraftError: The folder exists (and is not empty) and ``force`` is off, or a file stands in its place.
    """
    if out.is_file():
        raise LexigraftError("output is a file, not a folder", out, "Choose another --out")
    if out.is_dir() and any(out.iterdir()) and not force:
        raise LexigraftError("output folder exists", out, "Choose another --out, or pass --force to replace it")


@contextmanager
def whole_folder(out: Path, force: bool, resume: Collection[str] | None = None) -> Iterator[Path]:
    """Fill a temporary sibling folder that takes the place of ``out`` when everything in it is written.

    Args:
        out: The folder to write.
        force: Whether a folder that exists is replaced.
        resume: Names of large files. With them a run that was killed or interrupted leaves its draft, and the next
            one finds these files of it in the folder, as far as they were written; it must look whether they are
            right. Two such runs cannot fill one folder at a time. A run that fails leaves nothing in any case.

    Yields:
        The temporary folder.

    Raises:
        LexigraftError: The folder exists and ``force`` is off, or the disk is full or read-only, or another run is
            writing the folder.
    """
    out = out.resolve()
    refuse_existing(out, force)
    with ExitStack() as stack:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            if resume is None:
                draft = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
            else:
                draft = out.with_name(f".{out.name}.unfinished")
                draft.mkdir(exist_ok=True)
                stack.enter_context(_locked(draft))
                _clear(draft, resume)
        except OSError as fault:
            raise LexigraftError("cannot write the output folder", out, fault.strerror or str(fault)) from fault
        try:
            yield draft
            _readable(draft)
            sync_tree(draft)
            if out.exists():
                old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
                os.replace(out, old / "folder")
                os.replace(draft, out)
                shutil.rmtree(old)
            else:
                os.replace(draft, out)
        except BaseException as fault:
            if resume is None or isinstance(fault, Exception):
                shutil.rmtree(draft, ignore_errors=True)
            if isinstance(fault, Exception) and _is_disk_fault(fault):
                raise LexigraftError(
                    "cannot write the output folder", out, f"{fault}; nothing was left behind"
                ) from fault
            raise


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; the system lets go of it when the process ends, however it ends."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise LexigraftError(
            "another run is writing the output folder", folder, "Wait for it, or choose another --out"
        ) from None
    finally:
        os.close(handle)


def _clear(folder: Path, kept: Collection[str]) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in kept or path.is_symlink():
            path.unlink()


def _readable(folder: Path) -> None:
    """Give everything the permissions of ordinary files; some libraries write for the owner alone."""
    mask = os.umask(0o022)
    os.umask(mask)
    for path in [folder, *folder.rglob("*")]:
        path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)


def _is_disk_fault(fault: Exception) -> bool:
    """Whether an error is the disk's: safetensors wraps the system's in an exception of its own."""
    text = str(fault).lower()
    return isinstance(fault, OSError) or "no space left" in text or "(os error " in text


def write_model(folder: Path, model: PreTrainedModel, vocabulary: Vocabulary) -> None:
    """Save a model and its tokenizer as any transformers user expects them."""
    _silence()
    model.save_pretrained(folder)
    write_tokenizer(folder, model, vocabulary)


def write_settings(folder: Path, model: PreTrainedModel) -> None:
    """Save what ``save_pretrained`` writes of a model beside its weights: the model may be on the meta device."""
    _silence()
    # Aside, because save_pretrained takes away the shards of other checkpoints that it finds.
    with tempfile.TemporaryDirectory(dir=folder) as aside:
        model.save_pretrained(aside, state_dict={})
        for path in Path(aside).iterdir():
            if path.suffix != ".safetensors":
                os.replace(path, folder / path.name)


def write_tokenizer(folder: Path, model: PreTrainedModel, vocabulary: Vocabulary) -> None:
    """Save the tokenizer, with the inputs and the length that the model takes."""
    tokenizer = vocabulary.tokenizer
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    tokenizer.model_max_length = min(tokenizer.model_max_length, context_length(model, tokenizer.model_max_length))
    tokenizer.save_pretrained(folder)


def _silence() -> None:
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()


def verify(folder: Path, model: PreTrainedModel) -> None:
    """Load the folder with plain transformers and compare: same logits bit for bit, same ties, tokenizer as saved.

    Raises:
        RuntimeError: The saved model is not the model; nothing should be kept of it.
    """
    import torch
    from transformers import AutoTokenizer

    again = load_model(folder)
    model.eval()
    if tables_of(again).tied != tables_of(model).tied:
        raise RuntimeError("tied tables did not survive saving")
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(len(tables_of(model).by_role[Role.INPUT]), (2, 8), generator=generator)
    inputs: dict[str, Any] = {"input_ids": ids}
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = ids
    with torch.no_grad():
        if not torch.equal(model(**inputs).logits, again(**inputs).logits):
            raise RuntimeError("the saved model gives other logits than the model in memory")
    AutoTokenizer.from_pretrained(folder)


def write_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write ``lexigraft.json``."""
    (folder / FACTS).write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_provenance(folder: Path, provenance: Provenance, vocabulary: Vocabulary) -> Path:
    """Write ``provenance.parquet``: target_id, token, rule, source_ids, weights."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    mix = provenance.mix
    lists = [pa.LargeListArray.from_arrays(pa.array(mix.indptr), pa.array(v)) for v in (mix.indices, mix.weights)]
    table = pa.table(
        {
            "target_id": pa.array(np.arange(len(mix), dtype=np.int32)),
            "token": pa.array(list(vocabulary.tokens)),
            "rule": pa.array(provenance.rules).dictionary_encode(),
            "source_ids": lists[0],
            "weights": lists[1],
        }
    )
    path = folder / PROVENANCE
    pq.write_table(table, path)
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

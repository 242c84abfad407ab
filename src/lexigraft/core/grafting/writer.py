"""Writing a graft as a folder: the body's shards are copied with new tables in them, the model is never in memory."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.core.grafting.folder import (
    verify_model,
    write_card,
    write_facts,
    write_model,
    write_provenance,
    write_settings,
    write_tokenizer,
)
from lexigraft.core.grafting.pipeline import PreparedGraft, in_memory
from lexigraft.core.models.checkpoint import Checkpoint
from lexigraft.core.models.checkpoint_rewrite import rewritten, rewritten_index
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.models.streaming import Values, holds, is_made_of, read_tensor, write_pieces
from lexigraft.core.models.surgery import moved_positions, positions_that_move
from lexigraft.core.models.tables import names_of, tables_of
from lexigraft.core.utils.files import whole_folder
from lexigraft.core.utils.memory import peak_rss_bytes

if TYPE_CHECKING:
    import torch

logger = logging.getLogger("lexigraft")


def write_graft(made: PreparedGraft, out: Path, *, force: bool = False, verified: bool = True) -> dict[str, Any]:
    """Write a grafted model as a whole folder that plain transformers loads.

    A run that was killed is taken up by the next one with the same ``out``: shards that are as they should be stay.

    Args:
        made: The rows and the body.
        out: The folder to write.
        force: Whether a folder that exists is replaced.
        verified: Whether the folder is read back and compared before it takes its place.

    Returns:
        The facts, with ``out``.

    Raises:
        LexigraftError: The folder exists, or the disk is full; nothing half-written stays.
    """
    facts = dict(made.facts)
    started = time.perf_counter()
    shards = [shard.path.name for shard in made.body.checkpoint.shards]
    with whole_folder(out, force, resume=shards) as folder:
        if made.body.layout is None:
            logger.warning("%s stores its tables under unknown names: all of it is loaded", made.body.path)
            grafted = in_memory(made)
            write_model(folder, grafted.model, made.vocabulary)
            if verified:
                verify_model(folder, grafted.model)
        else:
            facts["shards"] = _stream(made, folder, verified)
        write_provenance(folder, made.rows.provenance, made.vocabulary)
        write_card(folder, facts)
        facts["seconds"] = {**facts["seconds"], "save": round(time.perf_counter() - started, 4)}
        facts["peak_rss_bytes"] = peak_rss_bytes()
        write_facts(folder, facts)
    return facts | {"out": str(out)}


def _stream(made: PreparedGraft, folder: Path, verified: bool) -> dict[str, int]:
    """Write weights, index, settings and tokenizer; returns how many shards were written and how many kept."""
    replaced = replacements(made)
    counts = {"written": 0, "kept": 0}
    cached = _memory_holds_twice(made.body.checkpoint)
    for shard in made.body.checkpoint.shards:
        pieces, path = rewritten(shard, replaced), folder / shard.path.name
        kept = is_made_of(path, pieces)
        if not kept:
            write_pieces(path, pieces, cached=cached)
        counts["kept" if kept else "written"] += 1
        logger.info("%s: %s", shard.path.name, "kept" if kept else "written")
    index = rewritten_index(made.body.checkpoint, replaced, made.skeleton.num_parameters())
    if index is not None:
        (folder / index[0]).write_text(index[1], encoding="utf-8")
    write_settings(folder, made.skeleton)
    write_tokenizer(folder, made.skeleton, made.vocabulary)
    if verified:
        verify_tables(folder, made, replaced)
    return counts


def _memory_holds_twice(checkpoint: Checkpoint) -> bool:
    """Whether half of the machine's memory has room for a checkpoint and its graft."""
    size = sum(shard.path.stat().st_size for shard in checkpoint.shards)
    return 2 * size <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def replacements(made: PreparedGraft) -> dict[str, torch.Tensor]:
    """Every tensor of the body's checkpoint that changes, by its name there."""
    layout = made.body.layout
    assert layout is not None
    replaced = {name: made.rows.tables[role] for role, names in layout.names.items() for name in names}
    for role, table in tables_of(made.skeleton).by_role.items():
        # Resizing may have brought copies together: BERT's head bias is stored twice when nothing is tied.
        replaced |= dict.fromkeys(made.body.stored_as(names_of(made.skeleton, table)), made.rows.tables[role])
    moving = positions_that_move(made.body.skeleton, made.vocabulary.specials.get("pad"))
    for own, (_, old, new) in moving.items():
        for name in made.body.stored_as([own]):
            replaced[name] = moved_positions(read_tensor(made.body.checkpoint.tensors[name]), old, new)
    return replaced


def verify_tables(folder: Path, made: PreparedGraft, replaced: Mapping[str, torch.Tensor]) -> None:
    """Read a folder back as any graft would: the tables where its model class looks for them, bit for bit.

    Raises:
        RuntimeError: The folder is not the graft; nothing should be kept of it.
    """
    from transformers import AutoTokenizer

    again = DiskModel(str(folder))
    if again.layout != made.body.layout:
        raise RuntimeError("tables or ties did not survive writing")
    for name, before in made.body.checkpoint.tensors.items():
        after = again.checkpoint.tensors[name]
        shape = tuple(replaced[name].shape) if name in replaced else before.shape
        if (after.dtype, after.shape) != (before.dtype, shape):
            raise RuntimeError(f"{name} was written as {after.dtype} {after.shape}")
        if name in replaced and not holds(after.path, after.start, [Values(replaced[name], after.dtype)]):
            raise RuntimeError(f"{name} was written with other values")
    for name, tensor in again.skeleton.state_dict().items():
        for stored in again.stored_as([name]):
            if again.checkpoint.tensors[stored].shape != tensor.shape:
                raise RuntimeError(f"{stored} has the wrong shape for its model: {tuple(tensor.shape)} is expected")
    AutoTokenizer.from_pretrained(folder)

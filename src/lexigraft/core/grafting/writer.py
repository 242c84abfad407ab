"""Writer of grafted checkpoints, which never holds the whole model in memory."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.core.grafting.folder import (
    INPUTS,
    verify_model,
    write_card,
    write_facts,
    write_model,
    write_provenance,
    write_settings,
    write_tokenizer,
)
from lexigraft.core.grafting.pipeline import PreparedGraft, in_memory
from lexigraft.core.grafting.processor import check_processor, take_over_settings
from lexigraft.core.models.checkpoint import Checkpoint, open_checkpoint
from lexigraft.core.models.checkpoint_rewrite import rewritten, rewritten_index
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.models.extra_files import copy_extra_files
from lexigraft.core.models.padding_positions import MovingPositions, moved_positions, positions_that_move
from lexigraft.core.models.streaming import Copied, Values, holds, is_made_of, read_tensor, write_pieces
from lexigraft.core.models.surgery import second_biases
from lexigraft.core.models.tables import Role, as_stored, names_by_role
from lexigraft.core.models.text_model import has_other_sides
from lexigraft.core.utils.files import whole_folder
from lexigraft.core.utils.memory import peak_rss_bytes

if TYPE_CHECKING:
    import torch

logger = logging.getLogger("lexigraft")


def write_graft(prepared: PreparedGraft, out: Path, *, force: bool = False, verified: bool = True) -> dict[str, Any]:
    """Write a grafted model as a whole folder that plain transformers loads.

    A run that was killed is resumed by the next one with the same ``out``: shards that are complete are kept.

    Args:
        prepared: The rows and the model on disk.
        out: The folder to write.
        force: Whether a folder that exists is replaced.
        verified: Whether the folder is read back and compared before it takes its place.

    Returns:
        The facts, with ``out``.

    Raises:
        LexigraftError: The folder exists, or the disk is full; nothing half-written stays.
    """
    facts = dict(prepared.facts)
    started = time.perf_counter()
    old = prepared.body.vocabulary
    if reads_images := has_other_sides(prepared.skeleton):
        take_over_settings(old, prepared.vocabulary)
    inputs = [name for name in INPUTS if name in old.tokenizer.model_input_names]
    shards = [shard.path.name for shard in prepared.body.checkpoint.shards]
    with whole_folder(out, force, resume=shards) as folder:
        if prepared.body.layout is None:
            logger.warning("%s stores its tables under unknown names: all of it is loaded", prepared.body.path)
            grafted = in_memory(prepared)
            write_model(folder, grafted.model, prepared.vocabulary, inputs)
            copy_extra_files(prepared.body.folder, folder)
            if verified:
                verify_model(folder, grafted.model)
        else:
            facts["shards"] = _stream(prepared, folder, inputs, verified)
        if reads_images:
            if verified:
                verify_other_tensors(folder, prepared)
            checked = check_processor(prepared.body.folder, folder, prepared.skeleton, prepared.vocabulary)
            facts["notes"] = [*facts["notes"], *checked]
        write_provenance(folder, prepared.rows.provenance, prepared.vocabulary)
        write_card(folder, facts)
        facts["seconds"] = {**facts["seconds"], "save": round(time.perf_counter() - started, 4)}
        facts["peak_rss_bytes"] = peak_rss_bytes()
        write_facts(folder, facts)
    return facts | {"out": str(out)}


def _stream(prepared: PreparedGraft, folder: Path, inputs: Sequence[str], verified: bool) -> dict[str, int]:
    """Write weights, index, settings and tokenizer; returns how many shards were written and how many kept."""
    replaced = replacements(prepared)
    counts = {"written": 0, "kept": 0}
    cached = _memory_holds_twice(prepared.body.checkpoint)
    for shard in prepared.body.checkpoint.shards:
        pieces, path = rewritten(shard, replaced), folder / shard.path.name
        kept = is_made_of(path, pieces)
        if not kept:
            write_pieces(path, pieces, cached=cached)
        counts["kept" if kept else "written"] += 1
        logger.info("%s: %s", shard.path.name, "kept" if kept else "written")
    index = rewritten_index(prepared.body.checkpoint, replaced, prepared.skeleton.num_parameters())
    if index is not None:
        (folder / index[0]).write_text(index[1], encoding="utf-8")
    write_settings(folder, prepared.skeleton)
    write_tokenizer(folder, prepared.skeleton, prepared.vocabulary, inputs)
    copy_extra_files(prepared.body.folder, folder)
    if verified:
        verify_tables(folder, prepared, replaced)
    return counts


def _memory_holds_twice(checkpoint: Checkpoint) -> bool:
    """Whether half of the machine's memory has room for a checkpoint and its graft."""
    size = sum(shard.path.stat().st_size for shard in checkpoint.shards)
    return 2 * size <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def replacements(prepared: PreparedGraft) -> dict[str, torch.Tensor]:
    """Every tensor of the body's checkpoint that changes, by its name there."""
    layout = prepared.body.layout
    assert layout is not None
    names = {role: list(found) for role, found in layout.names.items()}
    for role, found in names_by_role(prepared.skeleton).items():
        # Resizing may have tied two copies of a table, as with an untied Switch Transformer's.
        names[role] += prepared.body.stored_as(found)
    if biases := prepared.body.stored_as(second_biases(prepared.skeleton)):
        names[Role.BIAS] += biases
    tensors = prepared.body.checkpoint.tensors
    replaced = {
        name: as_stored(prepared.rows.tables[role], tensors[name].shape)
        for role, found in names.items()
        for name in found
    }
    for own, move in _moving(prepared).items():
        for name in prepared.body.stored_as([own]):
            replaced[name] = moved_positions(read_tensor(tensors[name]), move.old, move.new)
    return replaced


def _moving(prepared: PreparedGraft) -> dict[str, MovingPositions]:
    return positions_that_move(prepared.body.skeleton, prepared.vocabulary.specials.get("pad"))


def verify_tables(folder: Path, prepared: PreparedGraft, replaced: Mapping[str, torch.Tensor]) -> None:
    """Open the written folder and compare: ties, every tensor's dtype and shape, replaced tensors bit for bit.

    Raises:
        RuntimeError: The folder differs from the graft; it must not be kept.
    """
    reloaded = DiskModel(str(folder), text_model=prepared.body.text_model)
    if reloaded.layout != prepared.body.layout:
        raise RuntimeError("tables or ties did not survive writing")
    for name, before in prepared.body.checkpoint.tensors.items():
        after = reloaded.checkpoint.tensors[name]
        shape = tuple(replaced[name].shape) if name in replaced else before.shape
        if (after.dtype, after.shape) != (before.dtype, shape):
            raise RuntimeError(f"{name} was written as {after.dtype} {after.shape}")
        if name in replaced and not holds(after.path, after.start, [Values(replaced[name], after.dtype)]):
            raise RuntimeError(f"{name} was written with other values")
    for name, tensor in reloaded.skeleton.state_dict().items():
        for stored in reloaded.stored_as([name]):
            if reloaded.checkpoint.tensors[stored].shape != tensor.shape:
                raise RuntimeError(f"{stored} has the wrong shape for its model: {tuple(tensor.shape)} is expected")


def verify_other_tensors(folder: Path, prepared: PreparedGraft) -> None:
    """Compare every tensor but the tables and moved positions with the source's, byte for byte: the images' side too.

    Raises:
        RuntimeError: A tensor differs; the folder must not be kept.
    """
    body = prepared.body
    changed = [name for names in names_by_role(prepared.skeleton).values() for name in names]
    changed += [*second_biases(prepared.skeleton), *_moving(prepared)]
    kept = set(body.checkpoint.tensors) - set(body.stored_as(changed))
    written = open_checkpoint(folder).tensors
    for name in sorted(kept & set(written)):
        before, after = body.checkpoint.tensors[name], written[name]
        same = (after.dtype, after.shape) == (before.dtype, before.shape)
        if not (same and holds(after.path, after.start, [Copied(before.path, before.start, before.length)])):
            raise RuntimeError(f"{name}, which a graft leaves alone, was written with other bytes")

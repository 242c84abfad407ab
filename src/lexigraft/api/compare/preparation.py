"""Target tokenizer and poor model of a comparison, made before its cells and found again by their content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lexigraft.api.compare.inputs import Prepared, Texts
from lexigraft.api.pretrain import pretrain_into
from lexigraft.api.study.shared_folder import made_by_one
from lexigraft.api.study.trained_tokenizer import train_tokenizer_once, trained_tokenizer_path
from lexigraft.core.config.recipe import CompareSettings, PretrainSettings
from lexigraft.core.config.tokenizer_changes import TokenizerChangeSettings
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.cost_metadata import (
    PRETRAINED_PARAMETERS,
    PRETRAINING_SECONDS,
    SOURCE_PARAMETERS,
)
from lexigraft.core.grafting.folder import FACTS, read_facts
from lexigraft.core.models.disk_model import DiskModel
from lexigraft.core.tokenization.editing.changes import changed
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.files.saving import save_tokenizer
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.distributed import processes
from lexigraft.core.utils.files import whole_folder
from lexigraft.core.utils.hashing import hash_of, model_hash

Say = Callable[[str], None]


def prepare(
    recipe: CompareSettings, texts: Texts, folder: Path, say: Say = lambda text: None
) -> tuple[Prepared, Vocabulary]:
    """Train the tokenizer and the poor model that the recipe asks for, or reuse those of an earlier start.

    Args:
        recipe: The recipe.
        texts: Its texts.
        folder: Folder for tokenizer and poor model, named by content.
        say: Called with a line on what is being trained.

    Returns:
        Paths and hashes, and the target vocabulary.

    Raises:
        LexigraftError: Inputs that cannot be used.
    """
    tokenizer = prepare_tokenizer(recipe, texts, folder, say)
    vocabulary = load_vocabulary(tokenizer)
    poor = prepare_poor_model(recipe, texts, vocabulary, folder, say)
    return Prepared(tokenizer, poor, model_hash(recipe.source)), vocabulary


def tokenizer_path(recipe: CompareSettings, texts: Texts, folder: Path) -> str:
    """Where the target tokenizer is, or will be once it is trained."""
    change = recipe.target_tokenizer
    if not isinstance(change, TokenizerChangeSettings):
        return trained_tokenizer_path(change, texts.train, folder)
    familiar = texts.source_train.hash if texts.source_train else ""
    made_of = [change.model_dump(), load_vocabulary(recipe.source).hash, texts.train.hash, familiar]
    return str(folder / f"tokenizer-{hash_of(made_of)[:12]}")


def poor_model_path(recipe: CompareSettings, texts: Texts, vocabulary: Vocabulary, folder: Path) -> str | None:
    """Where the poor model is, or will be once it is trained; None where the recipe has none."""
    settings = recipe.poor_model
    if not isinstance(settings, PretrainSettings):
        return settings
    return str(folder / f"poor-{hash_of([settings.model_dump(), texts.train.hash, vocabulary.hash])[:12]}")


def prepare_tokenizer(recipe: CompareSettings, texts: Texts, folder: Path, say: Say = lambda text: None) -> str:
    """Make the target tokenizer, unless it is given or was made before; returns where it is."""
    change = recipe.target_tokenizer
    if not isinstance(change, TokenizerChangeSettings):
        return train_tokenizer_once(change, texts.train, folder, say)
    path = tokenizer_path(recipe, texts, folder)
    with made_by_one(Path(path), say) as missing:
        if missing:
            say(f"target tokenizer: {change.shown()}")
            familiar = texts.source_train.lines if texts.source_train else ()
            vocabulary = changed(load_vocabulary(recipe.source), change, texts.train.lines, familiar)
            with whole_folder(Path(path), force=False) as draft:
                save_tokenizer(vocabulary.tokenizer, draft)
    return path


def prepare_poor_model(
    recipe: CompareSettings, texts: Texts, vocabulary: Vocabulary, folder: Path, say: Say = lambda text: None
) -> str | None:
    """Pre-train the poor model, unless it is given or was trained before; returns where it is."""
    settings, path = recipe.poor_model, poor_model_path(recipe, texts, vocabulary, folder)
    if isinstance(settings, PretrainSettings) and path is not None:
        out = Path(path)
        with made_by_one(out, say) as missing:
            if missing:
                _refuse_many_processes(out)
                say(f"pre-training the poor model ({settings.preset}, {settings.steps:,} steps)")
                work = out.with_name(f"{out.name}-work")
                pretrain_into(out, texts.train, vocabulary, settings, work=work, force=False)
    return path


def cost_metadata(recipe: CompareSettings, prepared: Prepared, source: DiskModel) -> dict[str, Any]:
    """Facts for the cost account: the source's parameters, and what the pre-training of the poor model took.

    Args:
        recipe: The recipe.
        prepared: Where the poor model is.
        source: The source model.

    Returns:
        Those that are known: an earlier version recorded nothing of a pre-training.
    """
    facts: dict[str, Any] = {SOURCE_PARAMETERS: sum(p.numel() for p in source.skeleton.parameters())}
    if isinstance(recipe.poor_model, PretrainSettings) and prepared.poor_model is not None:
        folder = Path(prepared.poor_model)
        record = read_facts(folder) if (folder / FACTS).is_file() else {}
        found = {PRETRAINED_PARAMETERS: record.get("parameters"), PRETRAINING_SECONDS: record.get("seconds")}
        facts |= {name: value for name, value in found.items() if value is not None}
    return facts


def _refuse_many_processes(out: Path) -> None:
    """Refuse to train in one of several processes: training would wait for the others, which wait for this one."""
    if (count := processes().count) > 1:
        hint = f"Make it first, without a launcher: lexigraft cell prepare --stage poor_model ({out.name})"
        raise LexigraftError("the poor model cannot be made by several processes of a cell", count, hint)

"""Model on disk, of which only what is needed is read."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.checkpoint import WIDTHS, Checkpoint, Stored, open_checkpoint
from lexigraft.core.models.extra_files import PATTERNS as EXTRA_FILES
from lexigraft.core.models.loading import load_config, load_model, model_class
from lexigraft.core.models.missing_tensors import compare_names, refuse_missing, refuse_not_finite
from lexigraft.core.models.model_class import names_on_loading
from lexigraft.core.models.streaming import Copied, all_finite_stored, holds, read_tensor, torch_dtype
from lexigraft.core.models.tables import Role, Tables, names_by_role, tables_of
from lexigraft.core.models.text_model import use_text_model
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel


@dataclass(frozen=True)
class Header:
    """The sizes of a model.

    Attributes:
        rows: Rows of the input table.
        hidden: Width of the input table.
        dtype: The table's dtype as safetensors names it: ``F32``, ``BF16``, …
        tied: Whether no output table of its own is stored.
        parameters: Number of values in all tensors.
    """

    rows: int
    hidden: int
    dtype: str
    tied: bool
    parameters: int

    @property
    def body(self) -> int:
        """Number of values outside the input and output tables."""
        return self.parameters - self.rows * self.hidden * (1 if self.tied else 2)

    @property
    def bytes_per_value(self) -> int:
        """Bytes of one value of the table."""
        return WIDTHS.get(self.dtype, 1)


def read_header(path: str) -> Header:
    """Read the sizes of a local checkpoint.

    Args:
        path: What ``save_pretrained`` wrote, sharded or not.

    Returns:
        Rows, width, dtype, tie and parameters.

    Raises:
        LexigraftError: There is no model, a file is damaged, or no input table is stored.
    """
    model = DiskModel(path)
    if model.layout is None:
        raise LexigraftError("checkpoint holds no input table", path, "Give a complete checkpoint")
    tensors = model.checkpoint.tensors
    table = tensors[model.layout.names[Role.INPUT][0]]
    rows, hidden = table.shape
    tied = Role.OUTPUT not in model.layout.names
    return Header(rows, hidden, table.dtype, tied, sum(tensor.size for tensor in tensors.values()))


_MODEL_FILES = (
    "config.json",
    "generation_config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    *EXTRA_FILES,
)


@dataclass(frozen=True)
class Layout:
    """The names of a model's tables in a checkpoint.

    Attributes:
        names: The names in the checkpoint by role: one, or several that are the same table stored twice.
        tied: Whether input and output are one table.
    """

    names: Mapping[Role, tuple[str, ...]]
    tied: bool


class DiskModel:
    """A model on disk that is opened once.

    Configuration, vocabulary, checkpoint and weights are read when they are first used.

    Args:
        path: Folder or Hub name; for a Hub name, the weights are downloaded when the checkpoint is first used.
        allow_missing: Patterns of tensor names that the checkpoint may lack: they get random values.
        text_model: Path of the text model in it, where it is not found by itself.

    Raises:
        LexigraftError: There is no model. Missing or damaged weights raise it when they are first used.
    """

    def __init__(self, path: str, *, allow_missing: Sequence[str] = (), text_model: str | None = None) -> None:
        self.path = path
        self.text_model = text_model
        self._allow_missing = tuple(allow_missing)
        self.config: PretrainedConfig = load_config(path)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of its tokenizer."""
        return load_vocabulary(self.path)

    @cached_property
    def folder(self) -> Path:
        """The folder of its files."""
        return _folder(self.path)

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """Its shards, with the place of each tensor."""
        return open_checkpoint(self.folder)

    @cached_property
    def model(self) -> PreTrainedModel:
        """The whole model in memory."""
        return load_model(self.path, config=self.config, allow_missing=self._allow_missing, text_model=self.text_model)

    def take(self) -> PreTrainedModel:
        """The whole model, which the caller may change; the next use of :attr:`model` loads it from disk again."""
        model = self.model
        del self.model
        return model

    @cached_property
    def layout(self) -> Layout | None:
        """The names of the tables; ``None`` where the checkpoint has other names for them than the model's class.

        ``None`` too where tensors are missing that may be: what stands for them has to be made and written.
        """
        info = compare_names(model_class(self.config), self.config, self.checkpoint)
        if refuse_missing(info, self.path, self._allow_missing):
            return None
        model = self._empty
        tables = tables_of(model)
        heads = self.stored_as(_module_names(model, model.get_output_embeddings()))
        names = {role: self.stored_as(found) for role, found in names_by_role(model).items()}
        if tables.tied:
            others = [name for name in names[Role.INPUT] if name not in heads]
            if heads and others and not self._equal(heads[0], others[0]):
                # The configuration says "tied", the weights say otherwise: transformers goes by the weights.
                names |= {Role.INPUT: tuple(others), Role.OUTPUT: heads}
        if not all(names.values()):
            return None
        return Layout(names, Role.OUTPUT not in names and model.get_output_embeddings() is not None)

    def _equal(self, one: str, other: str) -> bool:
        first, second = self.checkpoint.tensors[one], self.checkpoint.tensors[other]
        if (first.dtype, first.shape) != (second.dtype, second.shape):
            return False
        return holds(first.path, first.start, [Copied(second.path, second.start, second.length)])

    def stored_as(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of a tensor's names that are in the checkpoint, with or without the prefix of the model's body.

        Names that transformers changes on loading count too: LLaVA's published weights have those of an earlier class.
        """
        prefix = f"{model_class(self.config).base_model_prefix}."
        spelled = [s for name in names for s in (name, name.removeprefix(prefix), prefix + name)]
        direct = [name for name in spelled if name in self.checkpoint.tensors]
        return tuple(dict.fromkeys([*direct, *(old for name in spelled for old in self._renamed.get(name, ()))]))

    @cached_property
    def _renamed(self) -> Mapping[str, list[str]]:
        """By the name that transformers gives a tensor on loading, the names that the checkpoint has for it."""
        renamed: dict[str, list[str]] = {}
        for old, new in names_on_loading(self._empty, self.checkpoint.tensors).items():
            renamed.setdefault(new, []).append(old)
        return renamed

    def refuse_damaged(self) -> None:
        """Refuse weights that hold NaN or infinite values; they are read block by block, once.

        Raises:
            LexigraftError: There are such weights, with their names.
        """
        refuse_not_finite(self._not_finite, self.path)

    @cached_property
    def _not_finite(self) -> tuple[str, ...]:
        # A buffer, such as a mask, may well hold infinite values.
        buffers = self.stored_as(name for name, _ in self._empty.named_buffers())
        tensors = self.checkpoint.tensors
        return tuple(n for n, stored in tensors.items() if n not in buffers and not all_finite_stored(stored))

    @property
    def roles(self) -> frozenset[Role]:
        """The roles of its tables."""
        return frozenset(tables_of(self.model).by_role if self.layout is None else self.layout.names)

    def tables(self) -> Tables:
        """The tables as they are stored, ``(rows, hidden)``; read from the shards without loading the model."""
        if self.layout is None:
            loaded = tables_of(self.model)
            return Tables({role: table.detach() for role, table in loaded.by_role.items()}, loaded.tied)
        stored = {role: read_tensor(self._first(role)) for role in self.layout.names}
        return Tables({r: t.view(-1) if r is Role.BIAS else t for r, t in stored.items()}, self.layout.tied)

    @cached_property
    def _empty(self) -> PreTrainedModel:
        return use_text_model(empty_model(self.config, self.folder), self.text_model)

    @cached_property
    def skeleton(self) -> PreTrainedModel:
        """The model without weights, on the meta device, tied as the checkpoint is. Change a copy of it only."""
        import torch

        layout, model = self.layout, self._empty
        if layout is not None:
            head = model.get_output_embeddings()
            if Role.OUTPUT in layout.names and head.weight is model.get_input_embeddings().weight:
                head.weight = torch.nn.Parameter(torch.empty_like(head.weight))
            model.to(_dtype(self.config) or torch_dtype(self._first(Role.INPUT).dtype))
        return model

    def _first(self, role: Role) -> Stored:
        assert self.layout is not None
        return self.checkpoint.tensors[self.layout.names[role][0]]


def empty_model(config: PretrainedConfig, folder: Path) -> PreTrainedModel:
    """A model of a configuration on the meta device: shapes, names and ties, but no weights.

    Args:
        config: The configuration; it is copied.
        folder: The model's folder, which may hold ``generation_config.json`` too.

    Raises:
        LexigraftError: The generation settings cannot be read.
    """
    import torch
    from transformers import GenerationConfig

    with torch.device("meta"), warnings.catch_warnings():
        # A class repeats its warnings about the configuration where the model is loaded for use.
        warnings.simplefilter("ignore")
        model: PreTrainedModel = model_class(config)(copy.deepcopy(config))
    if model.can_generate():
        # As from_pretrained does: without a file of their own, these settings are among the model's.
        own = (folder / "generation_config.json").is_file()
        where: dict[str, Any] = {} if own else {"config_file_name": "config.json", "_from_model_config": True}
        try:
            model.generation_config = GenerationConfig.from_pretrained(folder, **where)
        except Exception as error:  # whatever its values make of it
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise LexigraftError("transformers refuses the model's generation settings", folder, reason) from None
    return model.eval()


def _module_names(model: PreTrainedModel, module: Any) -> list[str]:
    return [f"{name}.weight" for name, found in model.named_modules(remove_duplicate=False) if found is module]


def _dtype(config: PretrainedConfig) -> Any:
    import torch

    return getattr(torch, config.dtype) if isinstance(config.dtype, str) else config.dtype


def _folder(path: str) -> Path:
    """A local folder, or the snapshot of a Hub name in the cache."""
    local = Path(path).expanduser()
    if local.is_dir():
        return local
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(path, allow_patterns=list(_MODEL_FILES)))
    except Exception as error:  # the Hub's client raises many kinds
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise LexigraftError("model weights cannot be read", path, reason) from error

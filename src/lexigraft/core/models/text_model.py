"""Text model of a model that reads images too: the module with the tables that a graft replaces."""

from __future__ import annotations

from collections.abc import Mapping
from types import MethodType
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_HINT = "Give --text-model PATH (graft.text_model)"


def use_text_model(model: PreTrainedModel, path: str | None = None) -> PreTrainedModel:
    """Make a model's own accessors give the tables of its text model, in place.

    Most classes of transformers name them. CLIP's names no input table and BLIP's no head: there, the accessors become
    those of the one module that has the table, or of the module at ``path``.

    Args:
        model: The model; on the meta device too.
        path: Path of the text model in it, such as ``text_model`` or ``model.language_model``.

    Returns:
        The model.

    Raises:
        LexigraftError: The path names no text model, or none is given and there is not exactly one.
    """
    if path is None:
        if _names_its_tables(model):
            return model
        path = _only_text_model(model)
    elif path not in text_models(model):
        raise LexigraftError("module path names no text model", path, _choices(model))
    vars(model)["text_model_path"] = path
    for accessor in (get_input_embeddings, set_input_embeddings, get_output_embeddings, set_output_embeddings):
        vars(model)[accessor.__name__] = MethodType(accessor, model)
    return model


def text_models(model: PreTrainedModel) -> Mapping[str, Any]:
    """The modules, by path, that have an input table with as many rows as the configuration has tokens."""
    from transformers import PreTrainedModel

    found, size = {}, _vocabulary_size(model.config)
    for path, module in model.named_modules():
        if path and isinstance(module, PreTrainedModel):
            table = _input_table(module)
            if table is not None and size in (None, len(table)):
                found[path] = module
    return found


def has_other_sides(model: PreTrainedModel) -> bool:
    """Whether a model also reads what is no text: images, video or sound."""
    config = model.config
    return any(getattr(config, f"{name}_config", None) is not None for name in ("vision", "audio", "image"))


def beside_text(model: PreTrainedModel) -> frozenset[str]:
    """The names of the parameters of towers and projections that a model has beside its text model and its head."""
    if not has_other_sides(model):
        return frozenset()
    table, head = _input_table(model), model.get_output_embeddings()
    within = [path for path, module in text_models(model).items() if _input_table(module) is table]
    inside = tuple(f"{path}." for path in within[-1:])
    own = set() if head is None else {id(parameter) for parameter in head.parameters()}
    return frozenset(n for n, p in model.named_parameters() if inside and not n.startswith(inside) and id(p) not in own)


def _names_its_tables(model: PreTrainedModel) -> bool:
    """Whether the class itself has an input table, and the head that a module inside has on top of the same table."""
    table = _input_table(model)
    if table is None:
        return False
    if model.get_output_embeddings() is not None:
        return True
    return not any(_input_table(m) is table and m.get_output_embeddings() is not None for m in _inner(model))


def _only_text_model(model: PreTrainedModel) -> str:
    """The path of the module with a head, or else of the outermost, where all have one and the same table."""
    found = text_models(model)
    if len({id(_input_table(module)) for module in found.values()}) != 1:
        raise LexigraftError("transformers names no text model in this model", type(model).__name__, _choices(model))
    with_head = [path for path, module in found.items() if module.get_output_embeddings() is not None]
    return next(iter(with_head or found))


def _choices(model: PreTrainedModel) -> str:
    found = text_models(model)
    return f"{_HINT}: {', '.join(found)}" if found else "It has no module with an input table for its tokenizer"


def _inner(model: PreTrainedModel) -> list[Any]:
    from transformers import PreTrainedModel

    return [module for module in model.modules() if module is not model and isinstance(module, PreTrainedModel)]


def _input_table(model: Any) -> Any:
    """The weight of a model's input embeddings, ``(rows, hidden)``; ``None`` without, as for a layer of patches."""
    try:
        table = getattr(model.get_input_embeddings(), "weight", None)
    except (NotImplementedError, AttributeError):
        return None
    return table if table is not None and table.dim() == 2 else None


def _vocabulary_size(config: Any) -> int | None:
    try:
        size: int | None = getattr(config.get_text_config(), "vocab_size", None)
    except ValueError:  # several texts
        return None
    return size


def get_input_embeddings(self: Any) -> Any:
    """The input embeddings of the text model."""
    return self.get_submodule(self.text_model_path).get_input_embeddings()


def set_input_embeddings(self: Any, value: Any) -> None:
    """Replace the input embeddings of the text model."""
    self.get_submodule(self.text_model_path).set_input_embeddings(value)


def get_output_embeddings(self: Any) -> Any:
    """The model's own head, or else that of the text model."""
    own = type(self).get_output_embeddings(self)
    return self.get_submodule(self.text_model_path).get_output_embeddings() if own is None else own


def set_output_embeddings(self: Any, value: Any) -> None:
    """Replace the head that :func:`get_output_embeddings` gives."""
    if type(self).get_output_embeddings(self) is None:
        self.get_submodule(self.text_model_path).set_output_embeddings(value)
    else:
        type(self).set_output_embeddings(self, value)

"""Base class of all settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from lexigraft.core.errors import LexigraftError, did_you_mean

S = TypeVar("S", bound="Settings")


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str | Path) else value


Paths = Annotated[list[str], BeforeValidator(_as_list)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""What NumPy, torch, fastText and transformers all take as a seed."""
Count = Annotated[int, Field(le=2**31 - 1)]
"""A number of steps, lines or the like: the libraries below take no larger one."""
Width = Annotated[int, Field(le=2**16)]
"""A dimension, rank or number of threads."""
BatchTokens = Annotated[int, Field(ge=16, le=2**26)]
"""Tokens of one step, far more than anyone trains on at once."""


class Settings(BaseModel):
    """Frozen settings that refuse unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class KeyedSettings(Settings):
    """Settings that keys of results are made of.

    Attributes:
        unwritten: Fields that are not written while they hold their defaults: those that came after results had keys.
    """

    unwritten: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _unused_left_out(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        fields = type(self).model_fields
        unused = {name for name in self.unwritten if getattr(self, name) == fields[name].default}
        return {key: value for key, value in values.items() if key not in unused}


def validate(kind: type[S], values: Mapping[str, Any], where: str) -> S:
    """Check values against settings; all errors go into one message, unknown keys with their closest match.

    Raises:
        LexigraftError: What is wrong with which key.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise LexigraftError(f"{where} is not valid", "; ".join(_explain(kind, e) for e in error.errors())) from None
    except (TypeError, ArithmeticError, LookupError) as error:  # validators of fields let these through
        raise LexigraftError(
            f"{where} is not valid", str(error), "A value is not of the kind that its key takes"
        ) from None


def _explain(kind: type[Settings], error: Any) -> str:
    loc = [str(p) for p in error["loc"] if not str(p).endswith("Settings") and str(p) not in ("str",)]
    key = ".".join(loc)
    if error["type"] == "extra_forbidden":
        owner = _owner(kind, loc[:-1])
        return f"unknown key '{key}'. {did_you_mean(loc[-1], owner)}"
    if error["type"].startswith("byte_size"):
        return f"{key}: not a memory size: {error['input']} (write for example 2GB or 500MiB)"
    message = error["msg"].removeprefix("Value error, ")
    return f"{key}: {message}" if key else message


def _owner(kind: type[Settings], path: list[str]) -> list[str]:
    for part, following in zip(path, [*path[1:], ""], strict=False):
        field = kind.model_fields.get(part)
        nested = list(_settings_in(field.annotation)) if field else []
        if nested:
            kind = next((one for one in nested if following in one.model_fields), nested[0])
    return list(kind.model_fields)


def _settings_in(annotation: object) -> Iterator[type[Settings]]:
    """The settings classes that a field's annotation names, also inside ``Optional`` or ``Annotated``."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _settings_in(part)

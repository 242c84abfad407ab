"""Tiny files of a plug-in, written for the laws of its contract."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from lexigraft.core.config.input_files import Files, InputFile
from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import Plugin, construct
from lexigraft.testing.law import NotApplicable
from lexigraft.testing.laws.plugin_file import class_of


class SampleData:
    """What a plug-in reads: the files of its sample, in a temporary folder.

    Args:
        plugin: Where the plug-in comes from.
        options: Options that differ from its defaults.
    """

    def __init__(self, plugin: Plugin, options: Mapping[str, Any]) -> None:
        self.plugin, self.options = plugin, dict(options)
        self.made: Any = construct(plugin.kind, plugin.name, class_of(plugin), self.options)

    @cached_property
    def root(self) -> Path:
        """A temporary folder, removed with this object."""
        root = Path(tempfile.mkdtemp(prefix="lexigraft-laws-"))
        weakref.finalize(self, shutil.rmtree, root, True)
        return root

    def folder(self) -> Path:
        """A new folder, empty."""
        return Path(tempfile.mkdtemp(dir=self.root))

    @property
    def declared(self) -> Mapping[str, InputFile]:
        """What the plug-in says that it reads."""
        declared: Mapping[str, InputFile] = self.made.files
        return declared

    @property
    def files(self) -> Files:
        """The files of the sample; raises ``NotApplicable`` where there is none."""
        raise NotImplementedError

    def read(self, files: Files) -> Any:
        """What the plug-in reads from some files."""
        raise NotImplementedError

    @cached_property
    def read_once(self) -> Any:
        """What the plug-in reads from its sample."""
        return self.read(self.files)


def replaced(files: Files, name: str, path: Path) -> dict[str, list[str]]:
    """Files with another one in the place of one of them."""
    return {key: [str(path)] if key == name else list(paths) for key, paths in files.items()}


@contextlib.contextmanager
def extras_may_lack() -> Iterator[None]:
    """Turn the refusal of a plug-in whose optional package is not installed into ``NotApplicable``."""
    try:
        yield
    except LexigraftError as refusal:
        if refusal.hint.startswith("pip install"):
            raise NotApplicable(str(refusal)) from None
        raise

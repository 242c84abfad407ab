"""Tokenizer that is trained once in the folder of a study, and then found there by every process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lexigraft.api.study.shared_folder import made_by_one
from lexigraft.core.config.recipe import TokenizerSettings
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.tokenization.files.saving import save_tokenizer
from lexigraft.core.tokenization.training import train_tokenizer
from lexigraft.core.utils.files import whole_folder
from lexigraft.core.utils.hashing import hash_of


def trained_tokenizer_path(settings: str | TokenizerSettings, corpus: Corpus, folder: Path) -> str:
    """Where a tokenizer that is trained on a text lies under a folder; the path itself where one is given."""
    if not isinstance(settings, TokenizerSettings):
        return settings
    return str(folder / f"tokenizer-{hash_of([settings.model_dump(), corpus.hash])[:12]}")


def train_tokenizer_once(
    settings: str | TokenizerSettings, corpus: Corpus, folder: Path, say: Callable[[str], None] = lambda text: None
) -> str:
    """Train a tokenizer on a text, unless it is given or was trained before; returns where it is."""
    path = trained_tokenizer_path(settings, corpus, folder)
    if isinstance(settings, TokenizerSettings):
        with made_by_one(Path(path), say) as missing:
            if missing:
                say(f"training a {settings.type} tokenizer of {settings.size:,} tokens")
                tokenizer = train_tokenizer(settings, corpus)
                with whole_folder(Path(path), force=False) as draft:
                    save_tokenizer(tokenizer, draft)
    return path

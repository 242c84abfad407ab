"""Tokenizer loading from a folder, a Hub name, or a bare tokenizer file of any family."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexigraft.core.errors import LexigraftError
from lexigraft.core.tokenization.files.bounds import is_panic, refuse_large_ids, try_hard_text
from lexigraft.core.tokenization.files.sentencepiece_models import read_sentencepiece
from lexigraft.core.tokenization.files.tiktoken_files import is_tekken, is_tiktoken, read_tekken, read_tiktoken
from lexigraft.core.tokenization.open_roles import special_strings, unnamed_roles, usual_roles
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.hub import require_on_hub
from lexigraft.core.utils.lfs import refuse_pointers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_USUAL_NAMES = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "sentencepiece.model", "spm.model")
"""SentencePiece models (and Llama 3's tiktoken file) as the families of models name them."""
_BARE_SUFFIXES = (".model", ".spm", ".tiktoken")
_CONFIGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "config.json")


def load_vocabulary(path: str | Path, *, trust_remote_code: bool = False) -> Vocabulary:
    """Load a tokenizer and view its vocabulary.

    Args:
        path: A folder or Hub name; or one file: ``tokenizer.json``, a SentencePiece ``.model`` or ``.spm``,
            ``tekken.json`` or a ``.tiktoken`` file, ``vocab.txt`` (WordPiece), or ``vocab.json`` / ``merges.txt``
            (byte-level BPE).
        trust_remote_code: Whether code that comes with a Hub tokenizer may run.

    Raises:
        LexigraftError: The path holds no tokenizer, or one that cannot be read.
    """
    local = Path(path).expanduser()
    try:
        tokenizer = _from_file(local) if local.is_file() else _from_folder_or_hub(str(path), local, trust_remote_code)
        try_hard_text(tokenizer.backend_tokenizer)
        return Vocabulary.of(tokenizer)
    except LexigraftError:
        raise
    except BaseException as error:  # every tokenizer library raises its own kinds for a broken file
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        raise LexigraftError(
            "tokenizer cannot be loaded", path, f"{type(error).__name__}: {_first_line(error)}"
        ) from error


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "")


def _from_folder_or_hub(name: str, local: Path, trust_remote_code: bool) -> Any:
    """Read ``tokenizer.json`` as it stands; model-specific classes rebuild it and drop what they don't know."""
    from transformers import AutoTokenizer

    if local.is_dir():
        names = {p.name for p in local.iterdir() if p.is_file()}
        refuse_pointers(local / name for name in ("tokenizer.json", *_CONFIGS) if name in names)
        if "tokenizer.json" in names:
            bare = not names & {"tokenizer_config.json", "special_tokens_map.json"}
            return _from_file(local / "tokenizer.json") if bare else _fast(str(local), local)
        if (file := _only_file(local, names)) is not None:
            return _from_file(file)
        refuse_pointers(p for p in local.iterdir() if p.suffix in (*_BARE_SUFFIXES, ".txt", ".json"))
        for file in (local / name for name in ("vocab.json", "added_tokens.json") if name in names):
            refuse_large_ids(file)
        return AutoTokenizer.from_pretrained(str(local), trust_remote_code=trust_remote_code)
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise LexigraftError("tokenizer not found", name, "Give a folder, a tokenizer file, or a Hub name")
    require_on_hub(name)
    if (file := _from_hub(name, "tokenizer.json")) is not None:
        _from_hub(name, "config.json")
        return _fast(name, file.parent)
    return AutoTokenizer.from_pretrained(name, trust_remote_code=trust_remote_code)


def _only_file(folder: Path, names: Collection[str]) -> Path | None:
    """The file to read of a folder without ``tokenizer.json``; ``None`` where its configuration names a class."""
    configured = "tokenizer_config.json" in names
    found = sorted(name for name in names if name.endswith(_BARE_SUFFIXES))
    refuse_pointers(folder / name for name in found)
    if "tekken.json" in names:
        return folder / "tekken.json"
    usual = [name for name in _USUAL_NAMES if name in found][:1] or found
    if len(usual) > 1 and (not configured or len([n for n in usual if n.endswith(".spm")]) > 1):
        hint = f"Each cuts text in its own way; name the one to use: {folder / usual[0]}"
        raise LexigraftError("folder holds several tokenizers", ", ".join(usual), hint)
    if usual and (not configured or is_tiktoken(folder / usual[0])):
        return folder / usual[0]
    if configured:
        return None
    for bare in ("vocab.json", "vocab.txt"):
        if bare in names:
            return folder / bare
    raise LexigraftError(
        "folder holds no tokenizer", folder, "Expected tokenizer.json, tekken.json, a .model, vocab.txt or vocab.json"
    )


def _fast(name: str, folder: Path) -> Any:
    """A tokenizer with ``tokenizer.json``, by its name or path, with the roles that its files leave open."""
    from transformers import PreTrainedTokenizerFast

    refuse_large_ids(folder / "tokenizer.json")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(name)
    roles = unnamed_roles(folder, special_strings(tokenizer.backend_tokenizer))
    given = {f"{role}_token": string for role, string in roles.items()}
    return PreTrainedTokenizerFast.from_pretrained(name, **given) if given else tokenizer


def _from_hub(name: str, file: str) -> Path | None:
    """A file of a Hub repository in the local cache; ``None`` where there is none, or the Hub cannot be reached."""
    from transformers.utils import cached_file

    try:
        found = cached_file(name, file)
    except OSError:
        return None
    return None if found is None else Path(found)


def _from_file(path: Path) -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer

    refuse_pointers([path])
    if path.suffix == ".json" and path.name != "vocab.json":
        if is_tekken(path):
            backend = read_tekken(path)
        else:
            refuse_large_ids(path)
            backend = Tokenizer.from_file(str(path))
        return _with_roles(backend, usual_roles(special_strings(backend)))
    if path.suffix in _BARE_SUFFIXES and is_tiktoken(path):
        backend = read_tiktoken(path)
        return _with_roles(backend, usual_roles(special_strings(backend)))
    if path.suffix in (".model", ".spm"):
        backend, own = read_sentencepiece(path)
        special = special_strings(backend)
        return _with_roles(backend, usual_roles(special) | {r: s for r, s in own.items() if s in special})
    if path.name == "vocab.txt":
        return _wordpiece(path)
    if path.name in ("vocab.json", "merges.txt"):
        return _byte_level(path.with_name("vocab.json"), path.with_name("merges.txt"))
    raise LexigraftError(
        "file is not a known tokenizer",
        path,
        "Known: tokenizer.json, *.model, *.spm, tekken.json, *.tiktoken, vocab.txt, vocab.json",
    )


def _byte_level(vocab: Path, merges: Path) -> PreTrainedTokenizerFast:
    """Byte-level BPE; only tokens that no merge makes can be special ones, since text never holds them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    for needed in (vocab, merges):
        if not needed.is_file():
            raise LexigraftError("byte-level BPE needs vocab.json and merges.txt side by side; missing", needed)
    refuse_pointers([vocab, merges])
    refuse_large_ids(vocab)
    ids, pairs = models.BPE.read_file(str(vocab), str(merges))
    tokenizer = Tokenizer(models.BPE(ids, pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    made = {left + right for left, right in pairs}
    return _with_roles(tokenizer, usual_roles({token for token in ids if len(token) > 1 and token not in made}))


def _wordpiece(path: Path) -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(models.WordPiece.from_file(str(path), unk_token="[UNK]"))
    cased = any(token != token.lower() for token in tokenizer.get_vocab() if not token.startswith("["))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=not cased)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return _with_roles(tokenizer, usual_roles(tokenizer.get_vocab()))


def _with_roles(backend: Any, roles: Mapping[str, str]) -> PreTrainedTokenizerFast:
    from transformers import PreTrainedTokenizerFast

    given = {f"{role}_token": string for role, string in roles.items()}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **given)

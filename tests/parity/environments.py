"""Environments of the published implementations, each in its own folder under .parity/, made when first asked for."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2] / ".parity"


@dataclass(frozen=True)
class Peer:
    """A published implementation and the versions it runs with.

    Attributes:
        name: Folder name of its environment.
        packages: What it needs, pinned.
        alone: Packages installed without their dependencies (one of which cannot be built any more).
    """

    name: str
    packages: tuple[str, ...]
    alone: tuple[str, ...] = ()

    @property
    def python(self) -> Path:
        """The interpreter of its environment, which :func:`ready` makes."""
        return ROOT / self.name / "bin" / "python"


DEEPFOCUS = Peer(
    "deepfocus",
    packages=(
        "torch==2.13.0",
        "transformers==5.23.0",
        "numpy==2.4.6",
        "scipy==1.17.1",
        "datasets==5.2.0",
        "entmax==1.3",
        "fastdist==1.1.7",
        "numba==0.68.1",
        "requests==2.34.2",
        "tqdm==4.70.1",
        "regex==2026.11.15",
        "print-on-steroids==1.2.3",
        "fasttext-community==0.11.9",
    ),
    alone=("deepfocus==1.0.1",),
)


WECHSEL = Peer(
    "wechsel",
    packages=(
        "transformers==5.23.0",
        "tokenizers==0.23.3",
        "numpy==2.4.6",
        "scipy==1.17.1",
        "scikit-learn==1.9.1",
        "gensim==4.4.0",
        "nltk==3.10.4",
        "datasets==5.2.0",
        "requests==2.34.2",
        "tqdm==4.70.1",
        "fasttext-wheel==0.9.2",
    ),
    alone=("wechsel==0.0.4",),
)


MERGEKIT = Peer(
    "mergekit",
    packages=(
        "torch==2.13.0",
        "transformers==5.23.0",
        "numpy==2.4.6",
        "accelerate==1.15.0",
        "peft==0.21.2",
        "tokenizers==0.23.3",
        "safetensors==0.8.0",
        "mergekit==0.1.5",
    ),
)

TRANS_TOKENIZERS = Peer(
    "trans_tokenizers",
    packages=(
        "torch==2.13.0",
        "transformers==5.23.0",
        "numpy==2.4.6",
        "datasets==5.2.0",
        "tqdm==4.70.1",
        "regex==2026.11.15",
        "langcodes==3.5.1",
        "trans-tokenizers==0.1.4",
    ),
)

MINICONS = Peer(
    "minicons",
    packages=(
        "torch==2.13.0",
        "transformers==4.57.1",
        "numpy==2.4.6",
        "accelerate==1.15.0",
        "minicons==0.3.39",
    ),
)

TRANSFORMERS_4 = Peer(
    "transformers4",
    packages=(
        "torch==2.13.0",
        "transformers==4.57.1",
        "safetensors==0.8.0",
        "sentencepiece==0.2.3",
        "protobuf==7.36.2",
    ),
)

# Under the AGPL: run beside ours, never imported.
WIKIEXTRACTOR = Peer("wikiextractor", packages=("wikiextractor==3.1.0",))

SEQEVAL = Peer("seqeval", packages=("seqeval==1.2.2", "numpy==2.4.6", "scikit-learn==1.9.1"))


def ready(peer: Peer) -> Path:
    """Make the environment of a peer unless it is there, and return its interpreter.

    Two processes that ask at once do not disturb each other; a half-made environment is made again.

    Raises:
        subprocess.CalledProcessError: A package cannot be installed; pip's message is in its output.
    """
    folder, wanted = ROOT / peer.name, hashlib.sha256(repr(peer).encode()).hexdigest()
    ROOT.mkdir(exist_ok=True)
    with FileLock(ROOT / f"{peer.name}.lock"):
        marker = folder / ".installed"
        if not (marker.exists() and marker.read_text() == wanted):
            shutil.rmtree(folder, ignore_errors=True)
            _run([sys.executable, "-m", "venv", folder])
            pip = [peer.python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            _run([*pip, *peer.packages])
            if peer.alone:
                _run([*pip, "--no-deps", *peer.alone])
            marker.write_text(wanted)
    return peer.python


def ask(peer: Peer, worker: str | Path, request: dict[str, Any]) -> dict[str, Any]:
    """Run a worker script of this folder in a peer's environment.

    Args:
        peer: Whose environment.
        worker: The script, by its name in this folder or by its whole path; it reads the request and prints its answer
            as its last line, both JSON.
        request: Plain values.

    Returns:
        The answer.

    Raises:
        subprocess.CalledProcessError: The worker failed; its traceback is in its output.
    """
    done = _run([ready(peer), Path(__file__).parent / worker, json.dumps(request)])
    answer: dict[str, Any] = json.loads(done.splitlines()[-1])
    return answer


def _run(command: Sequence[str | Path]) -> str:
    # A worker may use what of Lexigraft needs nothing but Python, such as how memory is measured.
    environment = os.environ | {"PYTHONPATH": str(ROOT.parent / "src")}
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=environment)
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        done.check_returncode()
    return done.stdout

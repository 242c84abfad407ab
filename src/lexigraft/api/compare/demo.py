"""The demo: strategies compared on a cloned language with known right rows, from text in every installation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexigraft.api.compare.run import Compared, compare
from lexigraft.api.pretrain import pretrain_model
from lexigraft.core.config.recipe import PretrainSettings, TokenizerSettings
from lexigraft.core.data.cloned_language import clone_language
from lexigraft.core.data.corpus import Corpus
from lexigraft.core.data.installed_docs import documentation_text
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.cells.runner import Progress
from lexigraft.core.grafting.folder import write_model
from lexigraft.core.tokenization.training import train_tokenizer
from lexigraft.core.tokenization.vocabulary import Vocabulary
from lexigraft.core.utils.files import replacing, whole_folder
from lexigraft.core.utils.hashing import hash_of

STRATEGIES = ("keep", "poor", "random", "mean", "subword_mean", "focus", "tema", "oracle")
EVERY: tuple[str | dict[str, Any], ...] = (
    *("keep", "random", "zero", "mean", "multivariate", "script_position"),
    *("subword_mean", "char_length", "position_exponential", "bil", "vipi", "merge_tree", "form_offset", "detokenized"),
    *("span_align", "one_to_one"),
    {"chain": ["focus", "subword_mean"]},
    *("focus", "semantic_overlap", "compass", "wechsel"),
    {"name": "ofa", "align": "dictionary", "label": "ofa"},
    {"name": "ramen", "align": "dictionary", "label": "ramen"},
    {"name": "ramen", "evidence": "parallel", "label": "ramen, parallel text"},
    *("trans_tokenization", "tema_graft", "omp", "knn_interpolation", "landmark_map", "clp", "clp_plus", "salt"),
    *("token_distillation", "attention_matching", "constrained_word2vec", "learned_mixture", "ensemble"),
    *("poor", "tema", "oracle"),
)
"""Every strategy that the cloned language's data allows, one setting each."""


@dataclass(frozen=True)
class Scale:
    """Amounts of text and training in the demo.

    Attributes:
        rich_chars: English for the rich model, in characters.
        clone_chars: Text of the cloned language, in characters.
        rich_steps: Pre-training steps of the rich model, 4,096 tokens each.
        poor_steps: Pre-training steps of the poor model.
        steps: Adaptation steps of each cell, 1,024 tokens each.
        probe: The early measurement.
        heldout: Held-out lines of either language.
        seeds: Seeds of the comparison.
    """

    rich_chars: int = 2_000_000
    clone_chars: int = 500_000
    rich_steps: int = 110
    poor_steps: int = 25
    steps: int = 40
    probe: int = 20
    heldout: int = 50
    seeds: tuple[int, ...] = (0, 1)


QUICK = Scale(400_000, 150_000, 30, 15, 6, 3, 12, (0,))


def demo(
    out: str | Path,
    *,
    quick: bool = False,
    every: bool = False,
    jobs: int = 2,
    say: Callable[[str], None] = lambda text: None,
    progress: Progress = lambda message, done, total: None,
) -> Compared:
    """Clone a language, train a rich and a poor model, compare strategies; an interrupted demo is resumed.

    Args:
        out: The folder for data, models, recipe, results and report.
        quick: A fraction of the training and one seed.
        every: Every strategy instead of a choice.
        jobs: Cells at a time.
        say: Called with progress messages.
        progress: Called when a cell has finished.

    Raises:
        LexigraftError: The folder cannot be written, or too little text is installed.
    """
    scale = QUICK if quick else Scale()
    folder = Path(out).resolve()
    data = folder / f"data-{hash_of([scale.rich_chars, scale.clone_chars, scale.heldout, 'parallel'])[:8]}"
    if not data.is_dir():
        say("reading English from the documentation of installed packages and making a language of it")
        with whole_folder(data, force=False) as draft:
            write_texts(draft, scale)
    rich = folder / f"rich-{hash_of([data.name, scale.rich_steps])[:8]}"
    if not rich.is_dir():
        say(f"pre-training the rich English model ({scale.rich_steps:,} steps)")
        _write_rich(rich, data, scale)
    recipe = folder / "demo.yaml"
    with replacing(recipe) as draft:
        draft.write_text(_recipe(data, rich, folder, scale, EVERY if every else STRATEGIES), encoding="utf-8")
    return compare(recipe, folder / "comparison", jobs=jobs, say=say, progress=progress)


def write_texts(folder: Path, scale: Scale) -> None:
    """Write English for the rich model, other English as text of the cloned language, and lines held out of both."""
    wanted = scale.rich_chars + scale.clone_chars
    lines = documentation_text(max_chars=wanted)
    available = sum(map(len, lines))
    if available < wanted // 2:
        raise LexigraftError(
            "too little English documentation is installed",
            f"{available:,} characters",
            f"The demo needs {wanted // 2:,}",
        )
    every = round(wanted / scale.clone_chars)
    other = lines[::every]
    english = [line for n, line in enumerate(lines) if n % every]
    language = clone_language(other, seed=0)
    language.write(folder)
    cloned = list(language.lines)
    for name, text in (("english", english), ("clone", cloned)):
        held = text[:: max(1, len(text) // scale.heldout)][: scale.heldout]
        hidden = set(held)
        kept = [n for n, line in enumerate(text) if line not in hidden]
        _write_lines(folder / f"{name}.heldout.txt", held)
        _write_lines(folder / f"{name}.txt", [text[n] for n in kept])
    _write_lines(folder / "clone.originals.txt", [other[n] for n in kept])


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _write_rich(out: Path, data: Path, scale: Scale) -> None:
    corpus = Corpus.of((data / "english.txt").read_text(encoding="utf-8").splitlines())
    tokenizer = train_tokenizer(TokenizerSettings(type="unigram", size=4000, byte_fallback=True), corpus)
    vocabulary = Vocabulary.of(tokenizer)
    settings = PretrainSettings(preset="llama-tiny", steps=scale.rich_steps)
    model = pretrain_model(corpus, vocabulary, settings, work=out.with_name(out.name + "-work"))
    with whole_folder(out, force=False) as draft:
        write_model(draft, model, vocabulary)


def _recipe(data: Path, rich: Path, folder: Path, scale: Scale, strategies: Sequence[str | dict[str, Any]]) -> str:
    """The demo as a recipe; `lexigraft compare demo.yaml` runs the same comparison."""
    import yaml

    values: dict[str, Any] = {
        "name": "cloned language",
        "source": f"./{rich.name}",
        "target_tokenizer": {"type": "unigram", "size": 3000, "byte_fallback": True},
        "corpus": {
            "train": [f"./{data.name}/clone.txt"],
            "heldout": [f"./{data.name}/clone.heldout.txt"],
            "source_heldout": [f"./{data.name}/english.heldout.txt"],
            "source_train": [f"./{data.name}/english.txt"],
            "heldout_lines": scale.heldout,
        },
        "parallel": {"source": [f"./{data.name}/clone.originals.txt"], "target": [f"./{data.name}/clone.txt"]},
        "dictionary": {"path": [f"./{data.name}/dictionary.tsv"]},
        "gold_links": f"./{data.name}/links.tsv",
        "poor_model": {"preset": "llama-tiny", "steps": scale.poor_steps},
        "donor": "poor_model",
        "strategies": list(strategies),
        "reference": "random",
        "seeds": list(scale.seeds),
        "adaptation": {"steps": scale.steps, "probe_step": scale.probe, "batch_tokens": 1024, "learning_rate": 1.0e-3},
        "tracking": {"uri": f"sqlite:///{folder / 'mlflow.db'}"},
    }
    return yaml.safe_dump(values, sort_keys=False)

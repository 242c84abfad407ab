"""Checks of a recipe before any weights load."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from lexigraft.api.compare.inputs import POOR_AS_DONOR
from lexigraft.api.compare.setup import checks_of, refuse_unmet, refuse_untrainable_source
from lexigraft.api.doctor.augmenters import report_augmenters
from lexigraft.api.doctor.findings import Findings
from lexigraft.api.doctor.operations import report_operations
from lexigraft.api.doctor.sizes import report_sizes, target_rows
from lexigraft.api.doctor.store import report_store
from lexigraft.api.doctor.tasks import report_tasks
from lexigraft.api.doctor.transfer import report_transfer
from lexigraft.core.config.recipe import CompareSettings, PretrainSettings, TokenizerSettings
from lexigraft.core.config.recipe_files import read_study_recipe
from lexigraft.core.config.suite import SuiteRecipe
from lexigraft.core.config.tokenizer_changes import TokenizerChangeSettings
from lexigraft.core.config.transfer_recipe import TransferSettings
from lexigraft.core.data.dictionary import Dictionary, load_dictionary
from lexigraft.core.data.parallel_text import SentencePairs, load_parallel
from lexigraft.core.data.readers import read_lines
from lexigraft.core.errors import LexigraftError
from lexigraft.core.grafting.pipeline import make_chain, refuse_same
from lexigraft.core.grafting.strategy import Strategy, needs_of
from lexigraft.core.models.checkpoint import INDEX, WEIGHTS
from lexigraft.core.models.disk_model import DiskModel, Header, read_header
from lexigraft.core.models.loading import load_config
from lexigraft.core.tokenization.editing.changes import check_change
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.tokenization.matching.alignment import align
from lexigraft.core.tokenization.number_splitting import digit_warning
from lexigraft.core.tokenization.target_check import check_usable
from lexigraft.core.tokenization.vocabulary import Vocabulary

MOST_LINES = 200_000
"""Lines of a text that are read at most; the comparison reads them all."""


@dataclass(frozen=True)
class Reported:
    """A comparison's recipe that could be read.

    Attributes:
        recipe: The recipe.
        gpu_seconds: Seconds of its training on a GPU, where they were asked for and its sizes are known.
    """

    recipe: CompareSettings
    gpu_seconds: float | None


def report_recipe(findings: Findings, given: SuiteRecipe, teraflops: float | None = None) -> Reported | None:
    """Check a recipe with everything it names.

    Args:
        findings: Where all is reported.
        given: The recipe's file, with values that replace some of its own.
        teraflops: 10^12 operations per second that a GPU keeps up, for which the time of the training is told.

    Returns:
        The recipe of a comparison, or ``None`` for another one and for one that cannot be read.
    """
    recipe: CompareSettings | TransferSettings | None = findings.try_(
        lambda: read_study_recipe(Path(given.path), given.overrides)
    )
    if isinstance(recipe, TransferSettings):
        report_transfer(findings, recipe)
    if not isinstance(recipe, CompareSettings):
        return None
    cells = len(recipe.lines) * len(recipe.seeds)
    arms = len({line.arm for line in recipe.lines})
    strategies = f"{len(recipe.strategies)} strategies{f' × {arms} arms' if arms > 1 else ''}"
    findings.good(f"recipe '{recipe.name}': {strategies} × {len(recipe.seeds)} seeds = {cells} cells")
    chains = _plugins(findings, recipe)
    _texts(findings, recipe)
    source, header = _source(findings, recipe.source)
    if header is not None:
        text_model = recipe.graft.text_model
        findings.try_(
            lambda: refuse_untrainable_source(recipe, DiskModel(recipe.source, text_model=text_model), chains.values())
        )
    target = _target(findings, recipe, source)
    if source is not None and target is not None:
        _alignment(findings, recipe, source, target)
    report_augmenters(findings, recipe, source, target)
    _inputs(findings, recipe, target)
    report_tasks(findings, recipe)
    rows = None if header is None else target_rows(recipe, header, target)
    report_sizes(findings, recipe, header, rows, cells)
    taken = None
    if teraflops is not None and header is not None and rows is not None and findings.healthy:
        taken = report_operations(findings, recipe, header, rows, chains, teraflops)
    report_store(findings, recipe.tracking)
    return Reported(recipe, taken)


def _plugins(findings: Findings, recipe: CompareSettings) -> dict[str, list[Strategy]]:
    chains: dict[str, list[Strategy]] = {}
    for strategy in recipe.lines:
        with findings.collect_errors():
            chains[strategy.label] = make_chain(strategy.chain)
    for check in checks_of(recipe, chains):
        findings.try_(check)
    with findings.collect_errors():
        refuse_unmet(recipe, chains)
        needs = ", ".join(sorted({str(need) for chain in chains.values() for need in needs_of(chain)}))
        findings.good(f"needs met: {needs or 'none'}")
    return chains


def _texts(findings: Findings, recipe: CompareSettings) -> None:
    corpus = recipe.corpus
    named = {"train": corpus.train, "heldout": corpus.heldout, "source_heldout": corpus.source_heldout}
    named |= {"source_train": corpus.source_train} | {f"also_heldout.{n}": p for n, p in corpus.also_heldout.items()}
    shown = {f"corpus.{name}": paths for name, paths in named.items()}
    for line in recipe.lines:
        settings = line.adaptation
        shown |= {f"adaptation.texts.{name}": settings.texts[name] for name in settings.used_texts}
    for name, paths in shown.items():
        for path in paths:
            with findings.collect_errors():
                findings.good(f"{name}: {_text(path, corpus.text_field)}")


def _text(path: str, field: str) -> str:
    if path.startswith("hub:"):
        return f"{path} (read when the comparison starts)"
    count = size = 0
    first = ""
    for line in islice(read_lines([path], field), MOST_LINES):
        if line.strip():
            first = first or line.strip()
            count += 1
            size += len(line.encode("utf-8", "surrogatepass"))
    if not count:
        raise LexigraftError("corpus is empty", path, "Give files with at least one line of text")
    at_least = "at least " if count >= MOST_LINES else ""
    return f"{path}: {at_least}{count:,} lines, {size:,} bytes, begins “{first[:60]}”"


def _source(findings: Findings, path: str) -> tuple[Vocabulary | None, Header | None]:
    config = findings.try_(lambda: load_config(path))
    vocabulary: Vocabulary | None = findings.try_(lambda: load_vocabulary(path))
    if vocabulary is not None:
        findings.good(f"source tokenizer: {_vocabulary(vocabulary)}")
    if config is None or not (Path(path).expanduser().is_dir() or _is_downloaded(path)):
        return vocabulary, None
    header: Header | None = findings.try_(lambda: read_header(path))
    if header is not None:
        tied = "tied or headless" if header.tied else "untied"
        shape = f"{header.rows:,} × {header.hidden} {header.dtype}, {tied}"
        findings.good(
            f"source model: {', '.join(config.architectures or [])}, {shape}, {header.parameters:,} parameters"
        )
        if vocabulary is not None and vocabulary.size > header.rows:
            findings.bad(f"the source tokenizer has ids beyond the table: {vocabulary.size} ids for {header.rows} rows")
        elif vocabulary is not None and vocabulary.size < header.rows:
            findings.good(f"{header.rows - vocabulary.size:,} rows of the source table are padding that no token uses")
    return vocabulary, header


def _is_downloaded(name: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(name, file), str) for file in (WEIGHTS, INDEX))


def _vocabulary(vocabulary: Vocabulary) -> str:
    specials = " ".join(f"{role}={vocabulary.tokens[i]}" for role, i in vocabulary.specials.items())
    coverage = "every byte has a token" if vocabulary.byte_complete else "some characters are unknown to it"
    return f"{vocabulary.family.value}, {vocabulary.size:,} tokens, {coverage}; {specials}"


def _target(findings: Findings, recipe: CompareSettings, source: Vocabulary | None) -> Vocabulary | None:
    asked = recipe.target_tokenizer
    if isinstance(asked, TokenizerSettings):
        findings.good(f"target tokenizer: {asked.type}, {asked.size:,} tokens, trained on corpus.train at the start")
        return None
    if isinstance(asked, TokenizerChangeSettings):
        findings.good(f"target tokenizer: {asked.shown()}, made from corpus.train at the start")
        if source is not None:
            with findings.collect_errors():
                check_change(source, asked)
        return None
    target: Vocabulary | None = findings.try_(lambda: load_vocabulary(asked))
    if target is None:
        return None
    findings.good(f"target tokenizer: {_vocabulary(target)}")
    with findings.collect_errors():
        check_usable(target)
    if source is not None:
        with findings.collect_errors():
            refuse_same(source, target)
    return target


def _alignment(findings: Findings, recipe: CompareSettings, source: Vocabulary, target: Vocabulary) -> None:
    with findings.collect_errors():
        alignment = align(source, target, recipe.graft.rules)
        counts = ", ".join(f"{rule} {n:,}" for rule, n in alignment.counts().items())
        findings.good(f"alignment: {counts}, new {len(alignment.new):,}")
        if (warning := digit_warning(source, target)) is not None:
            findings.note(warning)


def _inputs(findings: Findings, recipe: CompareSettings, target: Vocabulary | None) -> None:
    if (settings := recipe.dictionary) is not None:
        words: Dictionary | None = findings.try_(lambda: load_dictionary(settings))
        if words is not None:
            add = findings.note if words.rejected else findings.good
            add(f"dictionary: {len(words):,} pairs, {words.rejected:,} lines rejected")
    if (sides := recipe.parallel) is not None:
        text: SentencePairs | None = findings.try_(lambda: load_parallel(sides))
        if text is not None:
            findings.good(f"parallel text: {len(text):,} pairs, {text.dropped:,} empty or repeated ones left out")
    files = {
        "target_vectors.file": recipe.target_vectors.file,
        "word_vectors.source": recipe.word_vectors.source,
        "word_vectors.target": recipe.word_vectors.target,
        "gold_links": recipe.gold_links,
    }
    for name, file in files.items():
        if file is not None:
            here = Path(file.partition("#")[0]).expanduser().is_file()
            (findings.good if here else findings.bad)(f"{name}: {file}" if here else f"{name} not found: {file}")
    if recipe.donor == POOR_AS_DONOR:
        findings.good("donor: the poor model")
    elif (donor := recipe.donor) is not None:
        findings.try_(lambda: load_config(donor))
    poor = recipe.poor_model
    if isinstance(poor, PretrainSettings):
        length = f"{poor.steps:,} steps × {poor.batch_tokens:,} tokens"
        findings.good(f"poor model: {poor.preset}, pre-trained for {length} at the start")
    elif poor is not None:
        findings.try_(lambda: load_config(poor))
        own: Vocabulary | None = findings.try_(lambda: load_vocabulary(poor))
        if own is not None and target is not None and own.tokens != target.tokens:
            findings.bad(
                f"the poor model has another tokenizer than the target: {poor}. Pre-train it with the target tokenizer"
            )

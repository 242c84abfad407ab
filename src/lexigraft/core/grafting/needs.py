"""Needs, the inputs that strategies declare beyond the two vocabularies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lexigraft.core.errors import LexigraftError
from lexigraft.core.registry import discover
from lexigraft.core.utils.hashing import file_hash

if TYPE_CHECKING:
    from lexigraft.core.config.base import Settings
    from lexigraft.core.tokenization.vocabulary import Vocabulary


class Need(str):
    """The name of a need.

    The built-in ones are attributes. Another package's is ``Need("its_name")``.
    """

    __slots__ = ()

    TARGET_VECTORS: ClassVar[Need]
    WORD_VECTORS: ClassVar[Need]
    COMPASS: ClassVar[Need]
    DICTIONARY: ClassVar[Need]
    PARALLEL: ClassVar[Need]
    DONOR: ClassVar[Need]
    POOR_MODEL: ClassVar[Need]
    MODEL: ClassVar[Need]
    TRAINING: ClassVar[Need]
    PROBE: ClassVar[Need]
    GOLD_LINKS: ClassVar[Need]


Need.TARGET_VECTORS = Need("target_vectors")
Need.WORD_VECTORS = Need("word_vectors")
Need.COMPASS = Need("compass")
Need.DICTIONARY = Need("dictionary")
Need.PARALLEL = Need("parallel")
Need.DONOR = Need("donor")
Need.POOR_MODEL = Need("poor_model")
Need.MODEL = Need("model")
Need.TRAINING = Need("training")
Need.PROBE = Need("probe")
Need.GOLD_LINKS = Need("gold_links")


@dataclass(frozen=True)
class NeedSpec:
    """Specification of one need: how a user supplies it, how it is loaded, what its content is.

    A subclass lives in its own file, named after the need, among ``api/needs`` or in another package that names it as
    an entry point of the group ``lexigraft.needs``. Recipes, the command line, the list of strategies, error messages
    and the contract suite are derived from these attributes and methods.

    ``recipe_key``, ``option`` and ``sentence`` say how a user supplies it. ``supplied_by``: sets of words from
    ``words`` of all needs; a user who has everything in any one of the sets meets the need. ``words``: what each word
    that this need brings stands for. ``settings``: the schema of the recipe section ``inputs.NAME`` (on the command
    line ``--input NAME.key=value``), a :class:`lexigraft.strategies.Settings`; a recipe's relative paths in it start
    from the recipe's folder where the key is ``path``, ``file``, or ends in ``_path`` or ``_file``. The built-in needs
    have recipe sections of their own. ``by_graft``: the graft itself meets it. ``rank``: its place in lists.
    """

    name: ClassVar[str]
    recipe_key: ClassVar[str]
    option: ClassVar[str]
    sentence: ClassVar[str]
    supplied_by: ClassVar[tuple[frozenset[str], ...]]
    words: ClassVar[Mapping[str, str]] = {}
    settings: ClassVar[type[Settings] | None] = None
    by_graft: ClassVar[bool] = False
    rank: ClassVar[int] = 100

    def available(self, inputs: Any) -> bool:
        """Whether a user's inputs (:class:`lexigraft.api.inputs.StrategyInputs`) meet the need."""
        return self.name in inputs.sections

    def is_stage(self, inputs: Any) -> bool:
        """Whether ``load`` does long work once and keeps the result in ``cache_folder``, for every cell that asks.

        Such a need can be prepared before the cells, in a job of its own, which has no poor model.
        """
        return False

    def load(self, inputs: Any, target: Vocabulary, cache_folder: Path) -> Any:
        """Load what the strategy gets; called once, on first use.

        Args:
            inputs: What the user gave; the need's own recipe section is ``inputs.sections[self.name]``.
            target: The target vocabulary.
            cache_folder: Folder for results of long computations, cached by content.
        """
        raise NotImplementedError(f"need '{self.name}' has no load()")

    def content(self, inputs: Any) -> Any:
        """The content behind the need as plain values, never a path; ``None`` where the target text's hash tells.

        A comparison's result is kept by it: other content, other cells. By default the values of the need's own recipe
        section, with the hash of the content in place of each file and folder.
        """
        section: Settings | None = inputs.sections.get(self.name)
        return None if section is None else _by_content(section.model_dump(mode="json"))

    def sample(self, fixture: Any) -> Any:
        """A synthetic input for the contract suite, for a :class:`lexigraft.testing.inputs.Fixture`."""
        raise NotImplementedError(f"need '{self.name}' has no sample()")


def _by_content(value: Any) -> Any:
    """Plain values with the hash of the content in place of every path of a file or folder that exists."""
    if isinstance(value, Mapping):
        return {key: _by_content(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_by_content(inner) for inner in value]
    if not isinstance(value, str) or not value:
        return value
    path = Path(value).expanduser()
    if path.is_dir():
        return {str(file.relative_to(path)): file_hash(file) for file in sorted(path.rglob("*")) if file.is_file()}
    return file_hash(path) if path.is_file() else value


def need_specs() -> dict[Need, NeedSpec]:
    """Every working need by name, in the order of lists."""
    specs = [plugin.cls() for plugin in discover("need").values() if plugin.cls is not None]
    return {Need(spec.name): spec for spec in sorted(specs, key=lambda spec: (spec.rank, spec.name))}


def refuse_missing(needs: Mapping[str, Collection[Need]], supplied: Collection[Need]) -> None:
    """Refuse strategies whose needs are not supplied; called before any weights load.

    Raises:
        LexigraftError: Which strategy misses what, and how to supply it.
    """
    available = {need for need, spec in need_specs().items() if spec.by_graft}.union(supplied)
    missing = [(name, need) for name, declared in needs.items() for need in sorted(set(declared) - available)]
    if missing:
        listed = "; ".join(f"{name} needs {need}" for name, need in missing)
        raise LexigraftError("a strategy's need is missing", listed, how_to_meet(dict.fromkeys(n for _, n in missing)))


def how_to_meet(needs: Iterable[Need]) -> str:
    """One sentence for each need on how to supply it."""
    known, found = need_specs(), discover("need")

    def sentence(need: Need) -> str:
        if (spec := known.get(need)) is not None:
            return f"{need}: {spec.sentence} ({spec.option}; recipe key {spec.recipe_key})"
        if (plugin := found.get(need)) is not None:
            return f"{need}: the need is broken, {plugin.file}: {plugin.broken}"
        return f"{need}: no package that is installed brings this need"

    return "; ".join(map(sentence, needs))

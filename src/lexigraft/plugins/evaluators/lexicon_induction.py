"""Lexicon induction from a model's own word vectors: precision at 1 and 5 and mean reciprocal rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, EvaluationData, Evaluator, Files, InputFile, Sample
from lexigraft.core.evaluation.hidden_states import mean_input_rows, pooled_states
from lexigraft.core.evaluation.lexicon import Lexicon, induction_scores
from lexigraft.core.evaluation.scores import Scores
from lexigraft.core.linalg.csls import NEIGHBORS
from lexigraft.core.utils.memory import default_memory_budget

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class LexiconData(EvaluationData):
    """A dictionary.

    Attributes:
        lexicon: Its words with all of their translations.
    """

    lexicon: Lexicon


@dataclass(frozen=True)
class LexiconInduction(Evaluator):
    """How often the most similar translation in a dictionary is a word's own, by the model's word vectors.

    A word's vector is the mean over its tokens, as they are cut inside a text: of the input table's rows, or of the
    hidden states at a layer, where the word is read alone. Candidates are all translations in the dictionary; pairs of
    equal words are left out. A word is covered if it and one of its translations have tokens in the vocabulary; those
    that are not count as wrong, and ``coverage`` says how many are. A strategy that read the same dictionary knows the
    answers.

    Source: Conneau et al. 2018 (CSLS, precision at k); Glavaš et al. 2019 (mean reciprocal rank).

    Attributes:
        layer: ``input_table``, a layer (0 is what the first one reads, -1 the last), or ``two_thirds`` of the depth.
        reverse: Whether the dictionary's second column is translated into its first.
        neighbors: How many nearest neighbors CSLS looks at.
    """

    name: ClassVar[str] = "lexicon_induction"
    files: ClassVar[dict[str, InputFile]] = {
        "test": InputFile("a dictionary: lines of source TAB target (.tsv or .tsv.gz)"),
    }
    layer: int | Literal["input_table", "two_thirds"] = "input_table"
    reverse: bool = False
    neighbors: int = NEIGHBORS

    def __post_init__(self) -> None:
        """Refuse settings with which nothing is measured."""
        if self.neighbors < 1:
            raise ValueError("neighbors must be at least 1")

    def read(self, files: Files) -> LexiconData:
        """The dictionary's words.

        Raises:
            LexigraftError: A missing or unreadable file, or no pair of different words.
        """
        from lexigraft.core.config.recipe import DictionarySettings
        from lexigraft.core.data.dictionary import load_dictionary

        paths = list(files["test"])
        dictionary = load_dictionary(DictionarySettings(path=paths, reverse=self.reverse))
        lexicon = Lexicon.of(dictionary.pairs)
        if not lexicon.translations:
            raise LexigraftError("dictionary has no pair of different words", ", ".join(paths), "Give another one")
        notes = (f"{dictionary.rejected:,} lines that are not two columns are left out.",) * bool(dictionary.rejected)
        return LexiconData(hash=dictionary.hash, size=len(lexicon.translations), notes=notes, lexicon=lexicon)

    def evaluate(
        self, model: PreTrainedModel, vocabulary: Vocabulary, data: LexiconData, context: EvaluationContext
    ) -> Scores:
        """Precision and mean reciprocal rank, by CSLS and by cosine.

        Args:
            model: The model.
            vocabulary: Its vocabulary.
            data: The dictionary.
            context: Not used.

        Returns:
            As :func:`induction_scores`; the main figure is precision at 1 by CSLS.

        Raises:
            LexigraftError: No word is covered, or as :func:`pooled_states`.
        """
        source, target = (
            {word: ids for word in words if (ids := vocabulary.pieces(word.encode(), True))}
            for words in (data.lexicon.translations, data.lexicon.targets)
        )
        if not source or not target:
            size = f"{data.size:,} words"
            raise LexigraftError("the vocabulary has no tokens for one side of the dictionary", size, "Give another")
        ours, theirs = (self._vectors(model, vocabulary, list(words.values())) for words in (source, target))
        left, right = ({word: place for place, word in enumerate(words)} for words in (source, target))
        return induction_scores(data.lexicon, left, right, ours, theirs, default_memory_budget(), self.neighbors)

    def sample(self, folder: Path) -> Sample:
        """Write a dictionary of a few words, one of them with two translations."""
        path = folder / "dictionary.tsv"
        path.write_text("river\twater\nhouse\tschool\nmoon\tsun\nmoon\tlight\n", encoding="utf-8")
        return Sample({"test": [str(path)]})

    def _vectors(self, model: PreTrainedModel, vocabulary: Vocabulary, words: Sequence[Sequence[int]]) -> torch.Tensor:
        if self.layer == "input_table":
            return mean_input_rows(model, words)
        return pooled_states(model, vocabulary, words, layer=self.layer).vectors[0]

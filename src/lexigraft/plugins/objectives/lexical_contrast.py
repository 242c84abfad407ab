"""Lexical contrast: the usual loss of the model's kind, and translations drawn together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from lexigraft.core.config.input_files import Files, InputFile
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import ModelKind
from lexigraft.core.training.extended_objective import AddedTerm
from lexigraft.core.training.hidden_states import Layer, layer_number, mean_states, recorded_states
from lexigraft.core.training.objective import ObjectiveData

if TYPE_CHECKING:
    import torch
    from scipy.sparse import csr_array
    from transformers import PreTrainedConfig, PreTrainedModel

    from lexigraft.core.data.dictionary import Dictionary
    from lexigraft.core.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class LexicalData(ObjectiveData):
    """A dictionary.

    Attributes:
        dictionary: Its pairs.
    """

    dictionary: Dictionary


class _Words(NamedTuple):
    """The words of the dictionary as a model reads them.

    Attributes:
        ids: Token ids in the tokenizer's frame, int64, ``(words, length)``, padded on the right.
        read: Which of them are tokens, ``(words, length)``.
        own: Which of them are the word's own, without the frame, ``(words, length)``.
        pairs: Translations, as numbers of words, ``(pairs, 2)``.
        related: Which words are each other's translations, ``(words, words)``.
        layer: The layer that is compared.
    """

    ids: torch.Tensor
    read: torch.Tensor
    own: torch.Tensor
    pairs: torch.Tensor
    related: csr_array
    layer: int


@dataclass(frozen=True)
class LexicalContrast(AddedTerm):
    """Draw the vectors of a word and of its translation together while the model learns its language as usual.

    The loss is the usual one of the model's kind plus ``weight`` times the contrast of word pairs that each step draws
    from the dictionary. A word is read alone, in the frame that the tokenizer puts around a text; its vector is the
    mean over its own tokens. The negatives of a word are all other words of the step, except its other translations:
    in the published code words of one BabelNet synset are positives of each other, which a word list does not tell.

    Source: Green et al. 2023, "BabelBERT" (NT-Xent, cosine, temperature 0.07, last layer), without a language model's
    loss; the mixture is ours.
    Relations: translico contrasts lines with their transliteration.

    Attributes:
        weight: Weight of the contrast beside the usual loss.
        temperature: What cosines are divided by.
        layer: The layer that is compared: 0 is what the first one reads, -1 the last, ``two_thirds`` of the depth.
        pairs_per_sequence: Word pairs that are drawn for each packed sequence of a batch.
    """

    name: ClassVar[str] = "lexical_contrast"
    kinds: ClassVar[frozenset[ModelKind]] = frozenset({"masked", "causal"})
    files: ClassVar[Mapping[str, InputFile]] = {
        "dictionary": InputFile("word pairs: lines of source TAB target (.tsv or .tsv.gz)"),
    }
    weight: float = 0.5
    temperature: float = 0.07
    layer: Layer = -1
    pairs_per_sequence: int = 16

    def __post_init__(self) -> None:
        """Refuse settings with which nothing is contrasted."""
        if self.weight <= 0 or self.temperature <= 0:
            raise ValueError("weight and temperature must be above 0")
        if self.pairs_per_sequence < 1:
            raise ValueError("pairs_per_sequence must be at least 1")

    def read(self, files: Files, unseen: Collection[str] = ()) -> LexicalData:
        """The dictionary, which holds two pairs or more."""
        from lexigraft.core.config.recipe import DictionarySettings
        from lexigraft.core.data.dictionary import load_dictionary

        dictionary = load_dictionary(DictionarySettings(path=list(files["dictionary"])))
        if len(dictionary) < 2:
            raise LexigraftError("a contrast needs two word pairs or more", f"{len(dictionary)} pair", "Give more")
        return LexicalData(hash=dictionary.hash, dictionary=dictionary)

    def check(self, config: PreTrainedConfig) -> None:
        """Refuse a model without the layer."""
        layer_number(config, self.layer)

    def prepare(
        self, data: LexicalData, vocabulary: Vocabulary, config: PreTrainedConfig, sequence_length: int
    ) -> _Words:
        """Tokenize the words; two pairs or more must have tokens on both sides, no more than a sequence has."""
        import numpy as np
        import torch
        from scipy.sparse import csr_array

        from lexigraft.core.methods.distillation import padded
        from lexigraft.core.methods.occurrences import frame

        before, after = frame(vocabulary)
        room = sequence_length - len(before) - len(after)
        pieces = {word: vocabulary.pieces(word.encode(), True) for pair in data.dictionary.pairs for word in pair}
        usable = {word for word, ids in pieces.items() if 0 < len(ids) <= room}
        known = [pair for pair in data.dictionary.pairs if usable.issuperset(pair)]
        pairs = [(left, right) for left, right in known if pieces[left] != pieces[right]]
        if len(pairs) < 2:
            size = f"{len(data.dictionary):,} pairs, of which {len(pairs)} can be used"
            hint = "Give a dictionary of the two languages that the vocabulary serves"
            raise LexigraftError("the vocabulary has no different tokens for the dictionary's words", size, hint)
        numbers = {word: n for n, word in enumerate(dict.fromkeys(word for pair in pairs for word in pair))}
        ids, mask = padded([[*before, *pieces[word], *after] for word in numbers])
        read, places = mask.bool(), torch.arange(ids.shape[1])
        own = (places >= len(before)) & (places < mask.sum(1, keepdim=True) - len(after))
        numbered = torch.tensor([[numbers[word] for word in pair] for pair in pairs])
        related = csr_array((np.ones(len(pairs), np.bool_), tuple(numbered.numpy().T)), shape=(len(numbers),) * 2)
        return _Words(ids, read, own, numbered, related + related.T, layer_number(config, self.layer))

    def draw(self, sequences: int, generator: torch.Generator) -> torch.Tensor:
        """Pairs of words, as numbers of words, those of a pair beside each other."""
        import torch

        pairs: torch.Tensor = self.material.pairs
        drawn = torch.randint(len(pairs), (sequences, self.pairs_per_sequence), generator=generator)
        return pairs[drawn].flatten(1)

    def term(self, model: PreTrainedModel, drawn: torch.Tensor) -> torch.Tensor:
        """How badly words find their translations, a mean in nats."""
        import torch

        from lexigraft.core.training.contrast import pair_contrast

        material: _Words = self.material
        words = drawn.flatten().cpu()
        same = (words[:, None] == words[None, :]).to(model.device)
        related = torch.from_numpy(material.related[words.numpy()][:, words.numpy()].toarray()).to(model.device)
        length = int(material.read[words].sum(1).max())
        ids, read, own = (part[words, :length].to(model.device) for part in (material.ids, material.read, material.own))
        with recorded_states(model) as states:
            model.base_model(input_ids=ids, attention_mask=read.long())
        vectors = torch.nn.functional.normalize(mean_states(states[material.layer], own), dim=1)
        return pair_contrast(vectors, self.temperature, same | related)

    def sample(self, folder: Path, lines: Sequence[str], model: Path) -> Files:
        """Write a dictionary of a few words."""
        path = folder / "dictionary.tsv"
        path.write_text("river\tbread\nhouse\tmarket\nmoon\tlight\n", encoding="utf-8")
        return {"dictionary": [str(path)]}

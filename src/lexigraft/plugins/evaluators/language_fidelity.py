"""Language fidelity: the share of the generated texts that are in the wanted language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.evaluator import EvaluationContext, EvaluationData, Evaluator, Files, InputFile, Sample
from lexigraft.core.evaluation.generation import Generation, generate
from lexigraft.core.evaluation.language_identifier import Identified, LanguageIdentifier
from lexigraft.core.evaluation.scores import ItemScores, Scores
from lexigraft.core.models.architecture import ModelKind, context_length
from lexigraft.core.utils.hashing import file_hash, hash_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lexigraft.core.evaluation.scoring import Ids
    from lexigraft.core.tokenization.vocabulary import Vocabulary

_NOTHING = Identified("", 0.0)


@dataclass(frozen=True, kw_only=True)
class FidelityData(EvaluationData):
    """Prompts and what identifies languages.

    Attributes:
        prompts: What the model continues; each is an item.
        identifier: The file of the fastText model.
        language: The wanted label.
        prompt_fidelity: Share of the prompts themselves that are identified as the wanted language.
    """

    prompts: Sequence[str]
    identifier: str
    language: str
    prompt_fidelity: float


@dataclass(frozen=True)
class LanguageFidelity(Evaluator):
    """The share of generated texts whose language is the wanted one, by a fastText model such as GlotLID.

    The model continues every prompt once; the prompt itself is not identified. An empty text counts as wrong.
    ``prompt_fidelity`` says how far to trust the identifier on text as short as the prompts. A text in the right
    language need not be a good one: a model that repeats one word of it scores 1.

    Source: Kargaran et al. 2023 (GlotLID); Marchisio et al. 2024 (language confusion).

    Attributes:
        language: The wanted label of the identifier, such as quy_Latn (with or without ``__label__``).
        max_new_tokens: Most tokens of a text; at most half of the model's context.
        temperature: Of sampling; 0 takes the most likely token.
        top_p: Share of the probability that sampling is restricted to.
        prompt_words: Take so many words from the start of each line as the prompt; the whole line when not given.
        max_prompts: Prompts at most, from the top of the file.
        batch_size: Texts generated at a time.
    """

    name: ClassVar[str] = "language_fidelity"
    kinds: ClassVar[frozenset[ModelKind]] = frozenset(("causal", "seq2seq"))
    files: ClassVar[Mapping[str, InputFile]] = {
        "prompts": InputFile("what the model is to continue, one prompt a line"),
        "identifier": InputFile("a supervised fastText model whose labels are languages, such as GlotLID's model.bin"),
    }
    language: str | None = None
    max_new_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    prompt_words: int | None = None
    max_prompts: int | None = None
    batch_size: int = 16

    def __post_init__(self) -> None:
        """Refuse settings with which nothing is generated."""
        _ = self._generation
        for field in ("prompt_words", "max_prompts"):
            if (value := getattr(self, field)) is not None and value < 1:
                raise ValueError(f"{field} must be at least 1")

    @property
    def _generation(self) -> Generation:
        return Generation(
            self.max_new_tokens, temperature=self.temperature, top_p=self.top_p, batch_size=self.batch_size
        )

    def read(self, files: Files) -> FidelityData:
        """Read the prompts, and check that the identifier knows the language.

        Args:
            files: ``prompts`` and ``identifier``.

        Raises:
            LexigraftError: No prompt, no language, several identifiers, or one that does not know the language.
        """
        from lexigraft.core.data.readers import read_lines

        if self.language is None:
            raise LexigraftError("say which language is wanted", hint="Set language to a label, such as quy_Latn")
        if len(files["identifier"]) != 1:
            raise LexigraftError("there is more than one language identifier", ", ".join(files["identifier"]))
        identifier = LanguageIdentifier(files["identifier"][0])
        language = identifier.require(self.language)
        lines = list(dict.fromkeys(line.strip() for line in read_lines(files["prompts"]) if line.strip()))
        lines = lines[: self.max_prompts]
        prompts = list(dict.fromkeys(" ".join(line.split()[: self.prompt_words]) for line in lines))
        if not prompts:
            raise LexigraftError("there is no prompt", ", ".join(files["prompts"]), "Give at least one line of text")
        known = [found.language == language for found in identifier.identify(prompts, language)]
        return FidelityData(
            hash=hash_of([prompts, file_hash(Path(files["identifier"][0]))]),
            size=len(prompts),
            unseen=tuple(lines),
            prompts=prompts,
            identifier=files["identifier"][0],
            language=language,
            prompt_fidelity=float(np.mean(known)),
        )

    def sample(self, folder: Path) -> Sample:
        """Write prompts, and train a tiny model that tells two languages apart."""
        import fasttext

        (folder / "prompts.txt").write_text("the river runs past\nthe teacher came to\n", encoding="utf-8")
        english = "__label__eng_Latn the river runs past the house"
        other = "__label__quy_Latn mayuqa wasi patapim purin"
        (folder / "train.txt").write_text("\n".join([english, other] * 20), encoding="utf-8")
        model = fasttext.train_supervised(str(folder / "train.txt"), dim=4, epoch=5, thread=1, verbose=0)
        model.save_model(str(folder / "identifier.bin"))
        files = {"prompts": [str(folder / "prompts.txt")], "identifier": [str(folder / "identifier.bin")]}
        return Sample(files, {"language": "eng_Latn", "max_new_tokens": 4})

    def evaluate(
        self, model: PreTrainedModel, vocabulary: Vocabulary, data: FidelityData, context: EvaluationContext
    ) -> Scores:
        """Continue every prompt, and identify the language of the continuation.

        Args:
            model: The model.
            vocabulary: Its vocabulary.
            data: The prompts.
            context: The seed, which decides what is sampled.

        Returns:
            ``language_fidelity``; ``language_probability``, the mean of the identifier's probability of the wanted
            language; ``prompt_fidelity``; ``empty_share``, the share of the texts that are empty.

        Raises:
            LexigraftError: A model that generates nothing.
        """
        settings = replace(self._generation, max_new_tokens=min(self.max_new_tokens, context_length(model) // 2))
        inputs = _inputs(model, vocabulary, data.prompts, settings.max_new_tokens)
        texts = generate(model, vocabulary, inputs, settings, context.seed)
        identifier = LanguageIdentifier(data.identifier)
        identified = iter(identifier.identify([text for text in texts if text], data.language))
        found = [next(identified) if text else _NOTHING for text in texts]
        items = {
            "language_fidelity": ItemScores.of([float(one.language == data.language) for one in found]),
            "language_probability": ItemScores.of([one.probability for one in found]),
        }
        figures = {
            "prompt_fidelity": data.prompt_fidelity,
            "empty_share": float(np.mean([not text for text in texts])),
        }
        others = Counter(one.language for one in found if one.language not in ("", data.language)).most_common(3)
        notes = [f"other languages: {', '.join(f'{name} {count}' for name, count in others)}"] if others else []
        return Scores.of(items, figures, notes)


def _inputs(model: PreTrainedModel, vocabulary: Vocabulary, prompts: Sequence[str], written: int) -> list[Ids]:
    """What the model reads: ``bos prompt``, or ``prompt eos`` for an encoder; long prompts lose their start."""
    special, encodes = vocabulary.specials, bool(model.config.is_encoder_decoder)
    role = "eos" if encodes else "bos"
    frame = [special[role]] if role in special else []
    room = context_length(model) - len(frame) - (0 if encodes else written)
    kept = [ids[-room:] for ids in vocabulary.encode(prompts)]
    return [np.array([*ids, *frame] if encodes else [*frame, *ids], np.int64) for ids in kept]

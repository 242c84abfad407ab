"""LangSAMP: masked language modeling of several languages, with vectors of language and script before the head."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lexigraft.core.config.input_files import Files, InputFile
from lexigraft.core.errors import LexigraftError
from lexigraft.core.models.architecture import ModelKind
from lexigraft.core.training.extended_objective import ExtendedObjective
from lexigraft.core.training.objective import BESIDE, ObjectiveData

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary
    from lexigraft.core.training.packing import TrainingText

_CODE = re.compile(r"[a-z]{2,3}_[A-Z][a-z]{3}(?![^\W_])")
_SCHEDULED_ROWS = 10_000


@dataclass(frozen=True, kw_only=True)
class LanguageTexts(ObjectiveData):
    """Texts of other languages than the training text's.

    Attributes:
        texts: Lines by language and script.
    """

    texts: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Langsamp(ExtendedObjective):
    """Predict hidden tokens in several languages while vectors of language and script tell the head which one it is.

    The training text and texts of other languages train together, each row in one language. The vector of its language
    and that of its script are added to the body's last states, before the head, so that the body need not encode
    them. The vectors train with the model and start at 0 (the published ones start at random). At the end they are
    taken off: what those of the training text's language and script add to the head's first layer goes into its bias,
    so that the plain model predicts that language just as it did with the vectors; of other languages the body's states
    are the same, and their own vectors are missing. The cosines of the languages' vectors are kept, to rank donors by.

    Source: Liu et al. 2025, "LangSAMP: Language-Script Aware Multilingual Pretraining" (arXiv 2409.18199), section 3.
    Relations: masked on a mixture of the same texts is the same without vectors.

    Attributes:
        language: Language and script of the training text, such as ``swh_Latn``; by default those of no known one.
        temperature: Texts are drawn in proportion to their characters ** (1 / temperature); at least 1.
        mask_share: Share of the tokens to predict.
    """

    name: ClassVar[str] = "langsamp"
    kinds: ClassVar[frozenset[ModelKind]] = frozenset({"masked"})
    packs: ClassVar[bool] = True
    files: ClassVar[Mapping[str, InputFile]] = {
        "texts": InputFile("text of other languages, each file named by language and script, such as eng_Latn.txt")
    }
    language: str = "und_Zzzz"
    temperature: float = 1.0
    mask_share: float = 0.15

    def __post_init__(self) -> None:
        """Refuse what is no code of a language, and shares that cannot be."""
        if not _CODE.fullmatch(self.language):
            raise ValueError("language must be a code of language and script, such as swh_Latn")
        if self.temperature < 1:
            raise ValueError("temperature must be at least 1")
        if not 0 < self.mask_share < 1:
            raise ValueError("mask_share must lie between 0 and 1")

    def read(self, files: Files, unseen: Collection[str] = ()) -> LanguageTexts:
        """The texts by language and script, without lines that models are measured on.

        Raises:
            LexigraftError: A file whose name does not begin with a language, one in the training text's, or a text
                without a line.
        """
        from lexigraft.core.data.corpus import Corpus, load_corpus, without
        from lexigraft.core.utils.hashing import hash_of

        by_code: dict[str, list[str]] = {}
        for path in files["texts"]:
            if (code := _CODE.match(Path(path).name)) is None:
                hint = "Begin the file's name with language and script, such as eng_Latn.txt"
                raise LexigraftError("the name of the text does not tell its language", path, hint)
            by_code.setdefault(code[0], []).append(path)
        if self.language in by_code:
            hint = "Give texts of other languages; text of this one belongs to the training text"
            raise LexigraftError("the training text is in this language", f"{self.language}: {files['texts'][0]}", hint)
        corpora = {code: without(load_corpus(paths), Corpus.of(unseen)) for code, paths in by_code.items()}
        return LanguageTexts(
            hash=hash_of({code: corpus.hash for code, corpus in corpora.items()}),
            texts={code: corpus.lines for code, corpus in corpora.items()},
        )

    def check(self, config: PreTrainedConfig) -> None:
        """Refuse a model whose head has no layer that could take the vectors over."""
        import copy

        import torch
        from transformers import AutoModelForMaskedLM

        with torch.device("meta"):
            _first_layer(AutoModelForMaskedLM.from_config(copy.deepcopy(config)))

    def pack(self, vocabulary: Vocabulary, lines: Sequence[str], sequence_length: int) -> TrainingText:
        """Rows of every text, each with the number of its language before its tokens; all texts must fill one."""
        import numpy as np

        from lexigraft.core.config.mixture import TARGET
        from lexigraft.core.data.mixture.schedule import schedule, temperature_weights
        from lexigraft.core.training.mixed_text import MixedText
        from lexigraft.core.training.packing import PackedText, pack

        texts = {TARGET: lines, **self.material.texts}
        parts = {}
        for number, (name, text) in enumerate(texts.items()):
            try:
                rows = pack(vocabulary, text, sequence_length, kind="masked").rows
            except LexigraftError as error:
                raise LexigraftError(f"text '{name}': {error.what}", error.value, error.hint) from None
            parts[name] = PackedText(np.insert(rows, 0, number, axis=1))
        weights = temperature_weights({name: sum(map(len, text)) for name, text in texts.items()}, self.temperature)
        return MixedText(parts, schedule([weights], list(parts), _SCHEDULED_ROWS, 1))

    def batch(
        self,
        sequences: torch.Tensor,
        vocabulary: Vocabulary,
        generator: torch.Generator,
        predictable: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """The usual batch, and ``languages``, the number of each row's language, ``(batch,)``."""
        learned = None if predictable is None else predictable[:, 1:]
        usual = super().batch(sequences[:, 1:], vocabulary, generator, learned)
        return {**usual, "languages": sequences[:, 0]}

    def beside(self, config: PreTrainedConfig) -> torch.nn.Module:
        """The vectors."""
        from lexigraft.core.training.language_vectors import LanguageVectors

        return LanguageVectors([self.language, *self.material.texts], config.get_text_config().hidden_size)

    def loss(self, model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The usual loss, where the head reads each row's states with the vectors of its language and script."""
        from lexigraft.core.models.heads import separable
        from lexigraft.core.training.language_vectors import added_to_last_states

        languages, usual = batch["languages"], {key: rows for key, rows in batch.items() if key != "languages"}
        separable(model, batch["input_ids"])  # this is found out on a few tokens, to which no vector belongs
        with added_to_last_states(model, model.get_submodule(BESIDE)(languages)):
            return super().loss(model, usual)

    def fold(self, model: PreTrainedModel) -> dict[str, torch.Tensor]:
        """Add to the bias of the head's first layer what the vectors of the training text add to its product."""
        import torch

        name, layer = _first_layer(model)
        bias = layer.bias.detach().clone()
        with torch.no_grad():
            own = model.get_submodule(BESIDE)(torch.zeros(1, dtype=torch.int64, device=bias.device))[0]
            layer.bias.add_(layer.weight @ own.to(bias.dtype))
        return {f"{name}.bias": bias}

    def findings(self, model: PreTrainedModel) -> dict[str, Any]:
        """``language_cosines``: of each language's vector with the others', the closest first."""
        vectors: Any = model.get_submodule(BESIDE)
        return {"language_cosines": vectors.cosines()}

    def sample(self, folder: Path, lines: Sequence[str], model: Path) -> Files:
        """Write the lines in capital letters as another language."""
        path = folder / "eng_Latn.txt"
        path.write_text("".join(f"{line.upper()}\n" for line in lines), encoding="utf-8")
        return {"texts": [str(path)]}


def _first_layer(model: PreTrainedModel) -> tuple[str, torch.nn.Linear]:
    """The layer of the head that reads the body's last states, by name.

    Raises:
        LexigraftError: The head has no such layer with a bias.
    """
    from lexigraft.core.models.heads import transform_layer

    found = transform_layer(model)
    if found is None or found[1].bias is None:
        hint = "Language vectors are for models such as BERT and XLM-R, with a dense layer before the output layer"
        raise LexigraftError("the head has no layer with a bias that takes vectors over", type(model).__name__, hint)
    return found

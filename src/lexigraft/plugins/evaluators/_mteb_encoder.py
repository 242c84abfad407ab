"""A model in memory as an encoder of sentences that mteb can run: pooled hidden states of one layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from lexigraft.core.evaluation.hidden_states import weighted_states
from lexigraft.core.models.architecture import context_length

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from lexigraft.core.tokenization.vocabulary import Vocabulary

Pooling = Literal["mean", "first", "last"]


class Encoder:
    """The methods of mteb's ``EncoderProtocol``.

    Args:
        model: The model; encoder-decoder models encode with their encoder.
        vocabulary: Its vocabulary.
        pooling: How the states of a sentence become one vector.
        layer: Which hidden states, 0 for the embeddings and -1 for the last layer.
        max_length: Tokens of a sentence at most.

    Attributes:
        cut: How many sentences were longer.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        vocabulary: Vocabulary,
        *,
        pooling: Pooling = "mean",
        layer: int = -1,
        max_length: int = 512,
    ) -> None:
        self._model, self._vocabulary = model, vocabulary
        self._pooling, self._layer = pooling, layer
        self._most = min(context_length(model), max_length)
        self.cut = 0

    @property
    def mteb_model_meta(self) -> Any:
        """A model that mteb knows nothing of."""
        from mteb.models import ModelMeta

        return ModelMeta.create_empty()

    def encode(self, inputs: Iterable[Mapping[str, Any]], **options: Any) -> torch.Tensor:
        """Vectors of sentences, ``(sentences, dim)``.

        Args:
            inputs: Batches with the sentences under ``text``.
            **options: What mteb says about the task.
        """
        import torch

        return torch.cat([self._vectors(batch["text"]) for batch in inputs])

    def similarity(self, one: Any, two: Any) -> torch.Tensor:
        """Cosines of all pairs."""
        return _units(one) @ _units(two).T

    def similarity_pairwise(self, one: Any, two: Any) -> torch.Tensor:
        """Cosines of corresponding vectors."""
        return (_units(one) * _units(two)).sum(-1)

    def _vectors(self, texts: list[str]) -> torch.Tensor:
        encodings = self._vocabulary.tokenizer.backend_tokenizer.encode_batch(list(texts), add_special_tokens=True)
        self.cut += sum(len(encoding.ids) > self._most for encoding in encodings)
        # A sentence without tokens is one padding token: mteb wants a vector for it.
        pad = getattr(self._model.config, "pad_token_id", None) or 0
        sequences = [encoding.ids[: self._most] or [pad] for encoding in encodings]
        return weighted_states(self._model, sequences, self._weights, layer=self._layer)[0]

    def _weights(self, length: int) -> torch.Tensor:
        import torch

        if self._pooling == "mean":
            return torch.full((length,), 1 / length)
        return torch.eye(length)[0 if self._pooling == "first" else -1]


def _units(vectors: Any) -> torch.Tensor:
    import torch

    return torch.nn.functional.normalize(torch.as_tensor(vectors).float(), dim=-1)

"""Vectors of languages and scripts that stand beside a model while it trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import normalize

from lexigraft.core.models.heads import with_last_states

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class LanguageVectors(torch.nn.Module):
    """A vector for each language and one for each script; a text has the sum of its two. All start at 0.

    Args:
        codes: Language and script of each text, such as ``eng_Latn``.
        width: Numbers of a vector.
    """

    def __init__(self, codes: Sequence[str], width: int) -> None:
        super().__init__()
        languages, scripts = zip(*(code.split("_") for code in codes), strict=True)
        self.languages, self.scripts = (tuple(dict.fromkeys(names)) for names in (languages, scripts))
        self.of_language = torch.nn.Parameter(torch.zeros(len(self.languages), width))
        self.of_script = torch.nn.Parameter(torch.zeros(len(self.scripts), width))
        self._numbers = [
            [self.languages.index(language), self.scripts.index(script)]
            for language, script in zip(languages, scripts, strict=True)
        ]

    def forward(self, texts: torch.Tensor) -> torch.Tensor:
        """The vectors of texts.

        Args:
            texts: Numbers of codes, int64, ``(texts,)``.

        Returns:
            ``(texts, width)``.
        """
        numbers = torch.tensor(self._numbers, device=texts.device)[texts]
        return self.of_language[numbers[:, 0]] + self.of_script[numbers[:, 1]]

    def cosines(self) -> dict[str, dict[str, float]]:
        """The cosine of each language's vector with every other one's, the closest first."""
        unit = normalize(self.of_language.detach().float(), dim=1)
        found = {}
        for language, row in zip(self.languages, (unit @ unit.T).tolist(), strict=True):
            closest = sorted(zip(self.languages, row, strict=True), key=lambda pair: -pair[1])
            found[language] = {other: float(cosine) for other, cosine in closest if other != language}
        return found


@contextmanager
def added_to_last_states(model: PreTrainedModel, vectors: torch.Tensor) -> Iterator[None]:
    """The head reads the body's last states plus a vector for each row, in the block.

    Args:
        model: The model.
        vectors: ``(batch, hidden)``.
    """

    def add(body: torch.nn.Module, inputs: Any, output: Any) -> Any:
        return with_last_states(output, output[0] + vectors[:, None].to(output[0].dtype))

    hook = model.base_model.register_forward_hook(add)
    try:
        yield
    finally:
        hook.remove()

"""A draft model with the vocabulary of its target, for speculative decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lexigraft.api.graft import graft
from lexigraft.core.data.corpus import evenly_chosen, load_corpus
from lexigraft.core.errors import LexigraftError
from lexigraft.core.evaluation.draft_agreement import DraftAgreement, draft_agreement
from lexigraft.core.models.architecture import model_kind
from lexigraft.core.models.loading import load_config, load_model
from lexigraft.core.tokenization.files.loading import load_vocabulary
from lexigraft.core.utils.devices import usable_device
from lexigraft.core.utils.files import refuse_existing

Paths = Sequence[str | Path]


@dataclass(frozen=True)
class BridgedDraft:
    """A draft model that predicts the tokens of its target.

    Attributes:
        tokens: Tokens of the target's vocabulary.
        matched: How many of them the draft model had.
        new: How many rows were made.
        draft_rows: Rows of the draft model's table now.
        target_rows: Rows of the target's: where it has more, they are padding, which some engines want to be equal.
        agreement: Agreement of the two on the text.
        out: The folder that was written.
    """

    tokens: int
    matched: int
    new: int
    draft_rows: int
    target_rows: int
    agreement: DraftAgreement
    out: Path

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        values = asdict(self)
        return {**values, **values.pop("agreement"), "out": str(self.out)}


def bridge_draft(
    draft: str,
    target: str,
    text: Paths,
    out: str | Path,
    *,
    strategy: str = "subword_mean",
    lines: int = 200,
    seed: int = 0,
    force: bool = False,
) -> BridgedDraft:
    """Give a draft model the vocabulary of a target model, and measure how often the two agree.

    Args:
        draft: Folder or Hub name of the small model.
        target: Folder or Hub name of the large one.
        text: Files of text to compare them on; strategies that need target text learn from it too.
        out: The folder to write.
        strategy: The strategy, or several joined by commas.
        lines: Lines of the text to compare them on, chosen evenly.
        seed: Decides everything random.
        force: Whether an existing folder is replaced.

    Returns:
        What was matched and made, and the agreement.

    Raises:
        LexigraftError: Anything wrong with the inputs, or a model that does not continue text.
    """
    refuse_existing(Path(out), force)
    for path in (draft, target):
        if (kind := model_kind(load_config(path))) != "causal":
            raise LexigraftError("speculative decoding takes models that continue text", f"{path}: {kind}")
    vocabulary = load_vocabulary(target)
    chosen = evenly_chosen(load_corpus(list(text)), lines)
    large = load_model(target)
    made = graft(draft, target, strategy, out=out, corpus=text, seed=seed, force=force)
    small = load_model(out)
    device = usable_device("auto")
    small.to(device)
    large.to(device)
    return BridgedDraft(
        tokens=vocabulary.size,
        matched=vocabulary.size - made.new,
        new=made.new,
        draft_rows=_rows(small),
        target_rows=_rows(large),
        agreement=draft_agreement(small, large, vocabulary, chosen.lines),
        out=Path(out),
    )


def _rows(model: Any) -> int:
    return int(model.get_input_embeddings().weight.shape[0])

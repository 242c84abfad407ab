"""Choice of the torch device that strategies compute on."""

from __future__ import annotations

from lexigraft.core.errors import LexigraftError


def usable_device(asked: str) -> str:
    """A device by torch's name; for ``auto`` a GPU where torch sees one, and the processor elsewhere.

    Raises:
        LexigraftError: torch does not know the device, or cannot compute on it here.
    """
    import torch

    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.ones(1, device=asked).item()
    except (RuntimeError, AssertionError, ImportError) as error:
        raise LexigraftError("cannot compute on this device", asked, "Give auto, cpu, or a GPU that is here") from error
    return asked

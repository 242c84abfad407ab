"""Names of models on the Hugging Face Hub, looked up once."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

from lexigraft.core.errors import LexigraftError

_SECONDS = 10
_BETWEEN = 1.0
"""Seconds before the second attempt."""


@cache
def require_on_hub(name: str) -> None:
    """Refuse a name that is not cached here and that the Hub does not know, or that it cannot be asked about.

    Readers of the Hub ask six times for each file, so a name that is mistyped on a machine without a network would take
    a minute or two to fail. Errors of the server itself are left to them.

    Args:
        name: A name that no folder has, such as ``org/model``.

    Raises:
        LexigraftError: There is no such model, no connection after two attempts, or none wanted (HF_HUB_OFFLINE).
    """
    from huggingface_hub import HfApi, constants, errors

    cached = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
    if cached.is_dir():
        return
    if constants.HF_HUB_OFFLINE:
        hint = f"Where there is a network: hf download {name}; or unset HF_HUB_OFFLINE"
        raise LexigraftError("no folder has this name, and it was not downloaded from the Hub before", name, hint)
    for is_last in (False, True):
        try:
            HfApi().model_info(name, timeout=_SECONDS)
        except (errors.RepositoryNotFoundError, errors.HFValidationError):
            hint = "Check the spelling; for a private model log in with `hf auth login`"
            raise LexigraftError("neither a folder nor a model of the Hub has this name", name, hint) from None
        except errors.HfHubHTTPError:
            return
        except Exception as error:  # each HTTP library has its own kinds
            if is_last:
                reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
                hint = f"Give a folder, or a name that was downloaded before ({reason})"
                raise LexigraftError("no folder has this name, and the Hub cannot be reached", name, hint) from None
            time.sleep(_BETWEEN)
        else:
            return

"""Masking of user information, passwords and tokens in text that is printed or written."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import unquote

MASK = "***"
_SECRET_NAME = r"(?:token|passw|pwd|secret|key|sig|credential|auth)"
# User information goes to the last @, since passwords hold / and @ that nobody escaped: rather a host
# hidden than half of a password shown. A URI without an authority, such as sqlite:////home/a@b, has none.
_USER = re.compile(r"([a-z][a-z0-9+.-]*://)([^/:\s]*:\S*|[^/\s]*)@", re.IGNORECASE)
_QUERY = re.compile(rf"([?&;#][^\s=&;#/]*{_SECRET_NAME}[^\s=&;#/]*=)([^\s&;#]+)", re.IGNORECASE)
_HEADER = re.compile(r"\b(Bearer |Basic )(\S{6,})")
_HUB = re.compile(r"\b(hf_)(\w{16,})")
_VARIABLE = re.compile(r"(TOKEN|PASSWORD|SECRET|KEY)$")
_SHORTEST = 4


def masked_uris(value: Any) -> Any:
    """Text, or lists and mappings that hold text, with the user information and the tokens of its URIs masked."""
    if isinstance(value, dict):
        return {key: masked_uris(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(masked_uris(inner) for inner in value)
    if not isinstance(value, str):
        return value
    text = _USER.sub(rf"\1{MASK}@", value)
    for pattern in (_QUERY, _HEADER, _HUB):
        text = pattern.sub(rf"\1{MASK}", text)
    return text


def masked(text: str, uri: str = "") -> str:
    """A message without secrets, for text that came from another library.

    Args:
        text: The message.
        uri: The URI it may speak of; libraries quote parts of it, also decoded ones.

    Returns:
        The text without the secrets of its URIs, of ``uri``, and of variables for tokens and passwords.
    """
    environment = [os.environ[name] for name in os.environ if _VARIABLE.search(name.upper())]
    uris = [uri, *(v for name, v in os.environ.items() if name.upper().endswith("URI"))]
    secrets = {value for value in environment if len(value) >= _SHORTEST + 2} | {s for u in uris for s in _secrets(u)}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return str(masked_uris(text))


def _secrets(uri: str) -> set[str]:
    """What a URI holds of user information and tokens: whole, in parts, and decoded."""
    found = [match[2] for match in _USER.finditer(uri)]
    found += [part for info in found for part in re.split(r"[:/?#@]", info)]
    found += [match[2] for match in _QUERY.finditer(uri)]
    return {form for part in found for form in (part, unquote(part)) if len(form) >= _SHORTEST}

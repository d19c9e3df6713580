"""Secrets taken out of notifications before anything stores or logs them.

Seen in a real stream: Nova's scheduler events carry the caller's token in `…pci_requests._context.auth_token`, and a
failed rebuild's error carries the server's user_data.
"""

import re
from functools import lru_cache
from typing import Any

REDACTED = "[redacted]"

_SECRET_KEY = re.compile(
    r"user_?data|pass(word|wd|phrase)|admin_?pass|access_key|access_secret|secret_?key|private_?key|client_secret"
    r"|(^|_)secret$|(^|_)psk$|token$|token_info$|(^|_)credentials?$|blob$",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"gAAAAA[A-Za-z0-9_=-]{40,}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")
"""Keystone's Fernet tokens and JWS, wherever they stand in a text."""
_QUOTED_SECRET = re.compile(
    r"""(['"]?(?:user_?data|adminPass|admin_pass(?:word)?|password|auth_token|access_key|secret)['"]?\s*[:=]\s*u?)"""
    r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,'"}\])]+)""",
    re.IGNORECASE,
)
"""A secret's name and value inside a text, as Python's repr or a log line writes them."""

_SECRET_WORD = re.compile(r"(?i:pass|token|secret|access_key|user_?data)")
_HINTS = (
    b"pass",
    b"secret",
    b"ser_data",
    b"serdata",
    b"s_key",
    b"e_key",
    b"psk",
    b"token",
    b"gaaaaa",
    b"eyj",
    b"redential",
    b"blob",
)
_CONTEXT_HINTS = (b'oken\\": \\"', b'oken_info\\": {', b"gAAAAA")
_NO_TOKEN = (b'auth_token\\": null', b'auth_token": null', b'token_info\\": null', b'token_info": null')
"""How every caller's context says that it carries no token."""


def may_hold_secret(payload: bytes, context: bytes) -> bool:
    """Whether a notification's bytes may hold anything that `redact` takes out; never False when they do.

    For the two parts of the escaped JSON text that oslo.messaging writes, with a space after each colon. Searching
    for a dozen words costs less than decoding the text and walking through it.
    """
    lowered = payload.lower()
    for hint in _HINTS:
        if hint in lowered:
            return True
    return any(hint in context for hint in _CONTEXT_HINTS)


def is_suspicious(body: bytes) -> bool:
    """The same for a whole body, whoever wrote it, in either of oslo's formats."""
    lowered = body.lower()
    if b"\\u" in lowered or any(hint in lowered for hint in _HINTS if hint != b"token"):
        return True
    return lowered.count(b"token") != sum(lowered.count(absent) for absent in _NO_TOKEN)


@lru_cache(maxsize=8192)
def _is_secret_key(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def _text(value: str) -> str:
    if len(value) < 8:
        return value
    cleaned = _TOKEN.sub(REDACTED, value) if "gAAAAA" in value or "eyJ" in value else value
    return (
        cleaned
        if not _SECRET_WORD.search(cleaned)
        else _QUOTED_SECRET.sub(lambda found: f"{found[1]}'{REDACTED}'", cleaned)
    )


def redact(value: Any) -> Any:
    """`value` without its secrets; the very same object where there are none."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        items = [redact(item) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if isinstance(value, dict):
        made = {key: _member(key, item) for key, item in value.items()}
        return made if any(made[key] is not value[key] for key in value) else value
    return value


def _member(key: str, value: Any) -> Any:
    if value and not isinstance(value, bool | int | float) and value != REDACTED and _is_secret_key(key[:200]):
        return REDACTED
    return redact(value)

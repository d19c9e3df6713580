"""Plain data as YAML text, always in the same form; only what JSON can say."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_PLAIN = re.compile(r"^[A-Za-z_/$][A-Za-z0-9_./$#+-]*( [A-Za-z_/][A-Za-z0-9_./-]*)*$")
_RESERVED = re.compile(r"^(y|n|yes|no|on|off|true|false|null|~)$", re.IGNORECASE)


def to_yaml(value: Any) -> str:
    """The document's text, with a newline at its end."""
    return "\n".join(_block(value, 0)) + "\n"


def _block(value: Any, indent: int) -> Iterator[str]:
    space = "  " * indent
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            if _is_nested(inner):
                yield f"{space}{_scalar(key)}:"
                yield from _block(inner, indent + 1)
            else:
                yield f"{space}{_scalar(key)}: {_scalar(inner)}"
    elif _is_nested(value):
        for inner in value:
            if _is_nested(inner):
                lines = list(_block(inner, indent + 1))
                yield f"{space}- {lines[0].strip()}"
                yield from lines[1:]
            else:
                yield f"{space}- {_scalar(inner)}"
    else:
        yield f"{space}{_scalar(value)}"


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping | Sequence) and not isinstance(value, str) and bool(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.match(value) and not _RESERVED.match(value):
        return value
    return json.dumps(value, ensure_ascii=False)

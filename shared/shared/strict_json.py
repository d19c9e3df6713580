"""JSON from outside, bounded before it is parsed: what two parsers could read differently is no JSON here."""

import json
import re
from typing import Any, NoReturn

MAX_DEPTH = 32
MAX_NODES = 10_000
_LARGEST_INTEGER_DIGITS = 19

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_BRACKETS = re.compile(rb"[^\[\]{}]+")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class MalformedJson(ValueError):
    """The text is no JSON that can be trusted to mean one thing; the message says why."""


def parse(body: bytes, *, max_bytes: int, max_depth: int = MAX_DEPTH, max_nodes: int = MAX_NODES) -> Any:
    """The value that `body` holds. Raises MalformedJson for anything over the bounds or ambiguous.

    Bounds: size in octets, nesting, number of values; integers of 64 bits; no NaN or infinity, no repeated key,
    no lone surrogate.
    """
    if len(body) > max_bytes:
        raise MalformedJson(f"{len(body)} octets; at most {max_bytes} are taken")
    _check_shape(body, max_depth, max_nodes)
    try:
        value = json.loads(
            body,
            object_pairs_hook=_without_repeats,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_finite,
        )
    except MalformedJson:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedJson(f"not JSON: {error}") from None
    if b"\\u" in body:
        _check_surrogates(value)
    return value


def _check_shape(body: bytes, max_depth: int, max_nodes: int) -> None:
    outside = _STRINGS.sub(b"", body)
    if outside.count(b",") + outside.count(b"[") + outside.count(b"{") > max_nodes:
        raise MalformedJson(f"more than {max_nodes} values")
    depth = 0
    for bracket in _NOT_BRACKETS.sub(b"", outside):
        depth += 1 if bracket in b"[{" else -1
        if depth > max_depth:
            raise MalformedJson(f"nested more than {max_depth} deep")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise MalformedJson(f"the key {twice[:60]!r} stands twice in one object")
    return made


def _no_constant(name: str) -> NoReturn:
    raise MalformedJson(f"{name} is no JSON number")


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _LARGEST_INTEGER_DIGITS or not -(2**63) <= int(digits) < 2**63:
        raise MalformedJson("an integer of more than 64 bits")
    return int(digits)


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise MalformedJson("a number too large for a double")
    return value


def _check_surrogates(value: Any) -> None:
    if isinstance(value, str):
        if _LONE_SURROGATE.search(value):
            raise MalformedJson("a lone surrogate is no character")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_surrogates(key)
            _check_surrogates(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_surrogates(inner)

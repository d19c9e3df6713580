"""A selection to a predicate: Sigma's field modifiers, and two of Tresor's own (`prefix_at_most`, `cidr` with lists)."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from contracts.openstack.neutron import Resource
from security_monitor.domain.detections.fields import reader_of
from security_monitor.domain.detections.record import Record
from security_monitor.domain.detections.rule import BadRule

Path = tuple[str | int, ...]
Predicate = Callable[[Record, Resource | None], bool]
Test = Callable[[Any], bool]
_PLACEHOLDER = re.compile(r"%([a-z_]+)(\?)?%")
MAX_VALUES = 500


@dataclass(frozen=True)
class Types:
    """Which message types can make a predicate true; None in `Matched.types`: any."""

    exact: frozenset[str] = frozenset()
    likes: frozenset[str] = frozenset()
    """Beginnings and ends, as SQL's LIKE writes them: `identity.%`, `%.command.rejected`."""

    def __or__(self, other: "Types") -> "Types":
        return Types(self.exact | other.exact, self.likes | other.likes)

    def has(self, kind: str) -> bool:
        return kind in self.exact or any(
            kind.startswith(like[:-1]) if like.endswith("%") else kind.endswith(like[1:]) for like in self.likes
        )


@dataclass(frozen=True)
class Matched:
    """A part of a condition: its predicate, and the types that it can be true for."""

    holds: Predicate
    types: Types | None


class Lists:
    """The site's lists, which rules name as `%name%`; those that are empty leave a rule without sense, unless it says `%name?%`."""

    def __init__(self, lists: Mapping[str, Sequence[str]]) -> None:
        self._lists = lists
        self.missing: set[str] = set()

    def expand(self, value: Any, path: Path) -> list[Any]:
        found = _PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            return [value]
        if found[1] not in self._lists:
            raise BadRule(path, f"there is no list '{found[1]}'", f"use one of: {', '.join(sorted(self._lists))}")
        if not self._lists[found[1]] and not found[2]:
            self.missing.add(found[1])
        return list(self._lists[found[1]])


def selection(said: Any, lists: Lists, path: Path) -> Matched:
    """A mapping (all fields fit) or a list of mappings (one of them does). Raises BadRule."""
    if isinstance(said, Mapping) and said:
        parts = [_item(str(name), value, lists, (*path, str(name))) for name, value in said.items()]
        types = next((part.types for part in parts if part.types is not None), None)
        return Matched(_every([part.holds for part in parts]), types)
    if isinstance(said, list) and said:
        parts = [selection(each, lists, (*path, index)) for index, each in enumerate(said)]
        return Matched(any_of([part.holds for part in parts]), union(part.types for part in parts))
    raise BadRule(path, "a selection is a mapping of fields, or a list of such mappings")


def union(types: Iterable[Types | None]) -> Types | None:
    """Any of these."""
    made = Types()
    for each in types:
        if each is None:
            return None
        made |= each
    return made


def _every(parts: list[Predicate]) -> Predicate:
    if len(parts) == 1:
        return parts[0]
    return lambda record, resource: all(part(record, resource) for part in parts)


def any_of(parts: list[Predicate]) -> Predicate:
    """True when one of them is."""
    if len(parts) == 1:
        return parts[0]
    return lambda record, resource: any(part(record, resource) for part in parts)


def _item(name: str, value: Any, lists: Lists, path: Path) -> Matched:
    field, *modifiers = name.split("|")
    wants_all = "all" in modifiers
    read = reader_of(field, path)
    if field == "is_working_time":
        lists.expand("%working_hours%", path)
    if modifiers == ["exists"]:
        if not isinstance(value, bool):
            raise BadRule(path, "exists is true or false")
        return Matched(lambda record, resource: any(map(_is_something, read(record, resource))) is value, None)
    given = value if isinstance(value, list) else [value]
    values = [one for each in given for one in lists.expand(each, path)]
    if len(values) > MAX_VALUES:
        raise BadRule(path, f"more than {MAX_VALUES} values")
    if None in values:
        if values != [None] or modifiers:
            raise BadRule(path, "null stands alone: the field is not there")
        return Matched(lambda record, resource: not any(map(_is_something, read(record, resource))), None)
    kinds = [modifier for modifier in modifiers if modifier != "all"]
    if len(kinds) > 1:
        raise BadRule(path, f"'{'|'.join(kinds)}': one modifier beside `all` is taken")
    kind = kinds[0] if kinds else ""
    make = _KINDS.get(kind)
    if make is None:
        raise BadRule(
            path, f"there is no modifier '{kind}'", f"use one of: all, exists, {', '.join(filter(None, _KINDS))}"
        )
    if any(isinstance(one, dict | list) for one in values):
        raise BadRule(path, "a value is a text, a number, true or false")
    tests = [make(one, path) for one in values]
    types = _types(kind, values, path) if field == "type" else None
    if not kind and not wants_all and all(isinstance(one, str) and not _SPECIAL.search(one) for one in values):
        wanted = frozenset(one.casefold() for one in values)
        return Matched(
            lambda record, resource: any(str(each).casefold() in wanted for each in read(record, resource)), types
        )
    quantify = all if wants_all else any
    return Matched(
        lambda record, resource: (
            bool(found := read(record, resource)) and quantify(any(map(test, found)) for test in tests)
        ),
        types,
    )


def _types(kind: str, values: list[Any], path: Path) -> Types:
    if kind in ("startswith", "endswith"):
        if any(not isinstance(one, str) or "%" in one for one in values):
            raise BadRule(path, "a type is a text without %")
        return Types(likes=frozenset(f"{one}%" if kind == "startswith" else f"%{one}" for one in values))
    if kind or any(not isinstance(one, str) or _WILD.search(one) for one in values):
        raise BadRule(path, "a type is given in full, or with startswith or endswith")
    return Types(exact=frozenset(values))


def _is_something(value: Any) -> bool:
    return value not in (None, "") and value != {}


_SPECIAL = re.compile(r"[*?\\]")
_WILD = re.compile(r"(?<!\\)[*?]")
_PARTS = re.compile(r"\\[*?\\]|.", re.DOTALL)


def _as_pattern(part: str) -> str:
    return {"*": ".*?", "?": "."}.get(part, re.escape(part[-1]))


def _equal(wanted: Any, _: Path) -> Test:
    if isinstance(wanted, bool):
        return lambda value: value is wanted
    if isinstance(wanted, int | float):
        return lambda value: str(value) == str(wanted)
    text = str(wanted).casefold()
    pattern = re.compile("".join(map(_as_pattern, _PARTS.findall(text))), re.DOTALL)
    return lambda value: pattern.fullmatch(str(value)[:2000].casefold()) is not None


def _text(wanted: Any, path: Path) -> str:
    if not isinstance(wanted, str) or not wanted:
        raise BadRule(path, "a text is wanted here")
    return wanted.casefold()


def _contains(wanted: Any, path: Path) -> Test:
    text = _text(wanted, path)
    return lambda value: text in str(value).casefold()


def _startswith(wanted: Any, path: Path) -> Test:
    text = _text(wanted, path)
    return lambda value: str(value).casefold().startswith(text)


def _endswith(wanted: Any, path: Path) -> Test:
    text = _text(wanted, path)
    return lambda value: str(value).casefold().endswith(text)


def _cidr(wanted: Any, path: Path) -> Test:
    try:
        network = ip_network(str(wanted))
    except ValueError as error:
        raise BadRule(path, str(error), "write a prefix like 192.0.2.0/24") from None

    def lies_within(value: Any) -> bool:
        try:
            address = ip_address(str(value))
        except ValueError:
            return False
        return address.version == network.version and address in network

    return lies_within


def _prefix_at_most(wanted: Any, path: Path) -> Test:
    if not isinstance(wanted, int) or not 0 <= wanted <= 128:
        raise BadRule(path, "a prefix' length is from 0 to 128")

    def is_as_wide(value: Any) -> bool:
        try:
            return ip_network(str(value), strict=False).prefixlen <= wanted
        except ValueError:
            return False

    return is_as_wide


def _compared(compare: Callable[[float, float], bool]) -> Callable[[Any, Path], Test]:
    def make(wanted: Any, path: Path) -> Test:
        if isinstance(wanted, bool) or not isinstance(wanted, int | float):
            raise BadRule(path, "a number is wanted here")

        def test(value: Any) -> bool:
            try:
                return compare(float(value), wanted)
            except (TypeError, ValueError):
                return False

        return test

    return make


_KINDS: dict[str, Callable[[Any, Path], Test]] = {
    "": _equal,
    "contains": _contains,
    "startswith": _startswith,
    "endswith": _endswith,
    "cidr": _cidr,
    "prefix_at_most": _prefix_at_most,
    "gt": _compared(lambda value, wanted: value > wanted),
    "gte": _compared(lambda value, wanted: value >= wanted),
    "lt": _compared(lambda value, wanted: value < wanted),
    "lte": _compared(lambda value, wanted: value <= wanted),
}

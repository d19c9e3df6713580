"""A field's name to what reads it: checked once, when the rule is read."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields as fields_of
from functools import lru_cache
from operator import attrgetter
from typing import Any

from pydantic import BaseModel

from contracts.openstack.neutron import RESOURCES, Resource
from contracts.openstack.payload import Payload, Unmodelled
from security_monitor.domain.detections.record import Record
from security_monitor.domain.detections.rule import BadRule

Values = tuple[Any, ...]
Reader = Callable[[Record, Resource | None], Values]

_OWN = frozenset(one.name for one in fields_of(Record)) - {"payload", "data", "stream", "position", "at", "written_at"}
_ROOTS = ("payload", "resource", "raw", "data")


def reader_of(name: str, path: tuple[str | int, ...]) -> Reader:
    """What reads the field: every value that is there, those in lists one by one. Raises BadRule for no such field."""
    root, _, rest = name.partition(".")
    if not rest and root in _OWN:
        return _own(root)
    if root not in _ROOTS or not rest:
        known = ", ".join((*sorted(_OWN), *(f"{each}.…" for each in _ROOTS)))
        raise BadRule(path, f"there is no field '{name}'", f"use one of: {known}")
    steps = rest.split(".")
    if root == "payload":
        _check(steps[0], _payload_fields(), path)
        return lambda record, _: tuple(_walk(record.payload, steps))
    if root == "resource":
        _check(steps[0], _resource_fields(), path)
        return lambda _, resource: tuple(_walk(resource, steps))
    if root == "raw":
        return lambda record, _: (
            tuple(_walk(record.payload.data, steps)) if isinstance(record.payload, Unmodelled) else ()
        )
    return lambda record, _: tuple(_walk(record.data, steps))


def _own(name: str) -> Reader:
    get = attrgetter(name)

    def read(record: Record, _: Resource | None) -> Values:
        value = get(record)
        return () if value is None else (value,)

    return read


def _check(name: str, known: frozenset[str], path: tuple[str | int, ...]) -> None:
    if name not in known:
        raise BadRule(path, f"no model of OpenStack's messages has a field '{name}'", "see contracts/openstack")


@lru_cache(maxsize=1)
def _payload_fields() -> frozenset[str]:
    names: set[str] = set()
    waiting: list[type[BaseModel]] = [Payload]
    while waiting:
        model = waiting.pop()
        names.update(model.model_fields)
        waiting.extend(model.__subclasses__())
    return frozenset(names)


@lru_cache(maxsize=1)
def _resource_fields() -> frozenset[str]:
    models: tuple[type[Resource], ...] = (Resource, *RESOURCES.values())
    return frozenset(name for model in models for name in model.model_fields)


def _walk(value: Any, steps: list[str]) -> Iterator[Any]:
    """The values at the end of the path; nothing where it does not lead."""
    if isinstance(value, list | tuple):
        for each in value:
            yield from _walk(each, steps)
    elif not steps:
        if value is not None:
            yield value
    elif isinstance(value, Mapping):
        yield from _walk(value.get(steps[0]), steps[1:])
    elif value is not None:
        yield from _walk(getattr(value, steps[0], None), steps[1:])

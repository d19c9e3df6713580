"""Whether what was valid under an old schema is valid under a new one: contracts change only by adding.

What is compared is what people and services send: each value that the old schema takes, the new one has to take. A
change that needs more is a new version beside the old.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_ALIKE = ("pattern", "format", "multipleOf", "uniqueItems")
_MAX_DEPTH = 40


def incompatibilities(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> list[str]:
    """What of the old schemas (by name) the new ones no longer take, in words; empty when nothing is."""
    found = [f"{name}: removed" for name in sorted(old.keys() - new.keys())]
    for name in sorted(old.keys() & new.keys()):
        found += [f"{name}{problem}" for problem in compare(old[name], new[name])]
    return found


def compare(old: Schema, new: Schema) -> list[str]:
    """What of the old schema the new one no longer takes."""
    return list(_Comparison(old, new).of(old, new, "", 0))


@dataclass(frozen=True)
class _Comparison:
    """Two schemas, each with the definitions that its references lead to."""

    old_root: Schema
    new_root: Schema

    def of(self, old: Schema, new: Schema, path: str, depth: int) -> Iterator[str]:
        if depth > _MAX_DEPTH:
            return
        old, new = _resolved(old, self.old_root), _resolved(new, self.new_root)
        if any(word in schema for schema in (old, new) for word in ("anyOf", "oneOf")):
            yield from self._alternatives(old, new, path, depth)
            return
        yield from self._scalars(old, new, path)
        yield from self._object(old, new, path, depth)
        for word in ("items", "additionalProperties", "propertyNames"):
            before, after = old.get(word, True), new.get(word, True)
            if isinstance(before, Mapping) and isinstance(after, Mapping):
                yield from self.of(before, after, f"{path}[]", depth + 1)
            elif before is not after and after is not True and before is not False:
                yield f"{path}: {word} is narrower"
        yield from self._patterns(old, new, path, depth)
        yield from self._items(old, new, path, depth)

    def _alternatives(self, old: Schema, new: Schema, path: str, depth: int) -> Iterator[str]:
        """Every old alternative has to be taken by some new one."""
        after = _choices(new)
        for before in _choices(old):
            problems = [list(self.of(before, each, path, depth + 1)) for each in after]
            if not any(not each for each in problems):
                yield from min(problems, key=len)

    def _scalars(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        narrower = _types(old) - _types(new)
        if narrower:
            yield f"{path}: type {', '.join(sorted(narrower))} is no longer taken"
        before, after = _values(old), _values(new)
        if after is not None:
            if before is None:
                yield f"{path}: only {_listed(after)} are taken"
            elif lost := [value for value in before if value not in after]:
                yield f"{path}: {_listed(lost)} is no longer taken"
        for word in _ALIKE:
            if new.get(word) is not None and new.get(word) != old.get(word):
                yield f"{path}: {word} is {new[word]!r}, was {old.get(word)!r}"
        for word in _LOWER:
            if new.get(word) is not None and (old.get(word) is None or new[word] > old[word]):
                yield f"{path}: {word} is {new[word]}, was {old.get(word)}"
        for word in _UPPER:
            if new.get(word) is not None and (old.get(word) is None or new[word] < old[word]):
                yield f"{path}: {word} is {new[word]}, was {old.get(word)}"

    def _object(self, old: Schema, new: Schema, path: str, depth: int) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in sorted(before.keys() - after.keys()):
            yield f"{path}.{name}: removed"
        for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
            yield f"{path}.{name}: required, was not"
        for name in sorted(before.keys() & after.keys()):
            yield from self.of(before[name], after[name], f"{path}.{name}", depth + 1)

    def _patterns(self, old: Schema, new: Schema, path: str, depth: int) -> Iterator[str]:
        before, after = old.get("patternProperties", {}), new.get("patternProperties", {})
        for pattern in sorted(after.keys() - before.keys()):
            yield f"{path}: names like {pattern} have a form, had none"
        for pattern in sorted(before.keys() - after.keys()):
            if new.get("additionalProperties") is not True:
                yield f"{path}: names like {pattern} are no longer taken"
        for pattern in sorted(before.keys() & after.keys()):
            yield from self.of(before[pattern], after[pattern], f"{path}[{pattern}]", depth + 1)

    def _items(self, old: Schema, new: Schema, path: str, depth: int) -> Iterator[str]:
        before, after = old.get("prefixItems", ()), new.get("prefixItems", ())
        for index, item in enumerate(after):
            yield from self.of(before[index] if index < len(before) else {}, item, f"{path}[{index}]", depth + 1)


def _resolved(schema: Schema, root: Schema) -> Schema:
    for _ in range(_MAX_DEPTH):
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            break
        target: Any = root
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
        schema = {**target, **{word: said for word, said in schema.items() if word != "$ref"}}
    return schema


def _choices(schema: Schema) -> list[Schema]:
    """The alternatives, each with what stands beside them."""
    for word in ("anyOf", "oneOf"):
        if word in schema:
            beside = {key: said for key, said in schema.items() if key != word}
            return [{**beside, **choice} for choice in schema[word]]
    return [schema]


_ALL_TYPES = frozenset({"string", "number", "integer", "boolean", "null", "array", "object"})


def _types(schema: Schema) -> frozenset[str]:
    said = schema.get("type")
    if said is None:
        return _ALL_TYPES
    types = frozenset([said] if isinstance(said, str) else said)
    return types | {"integer"} if "number" in types else types


def _values(schema: Schema) -> list[Any] | None:
    """What alone is taken, or None for no such bound."""
    if "const" in schema:
        return [schema["const"]]
    found = schema.get("enum")
    return None if found is None else list(found)


def _listed(values: list[Any]) -> str:
    return ", ".join(repr(value) for value in values)

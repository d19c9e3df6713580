"""What every payload model has, and the types that take what OpenStack really sends.

Inbound models ignore fields they don't know and need none: a service of another release, or a driver, may leave any
of them out, send null, an empty string for a missing time, or a list of key/value pairs for a mapping.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

_MAX_MISFITS = 16
"""How many ill-typed fields of one payload are left out before it is kept unmodelled."""


_OSLO_LENGTHS = (19, 26)
"""`2026-11-21 10:00:00` and the same with microseconds: how oslo.messaging writes the time."""


def parse_time(value: object) -> datetime | None:
    """The instant that OpenStack wrote, in UTC; without a zone it is UTC; None for what is no time."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        return None
    if len(value) in _OSLO_LENGTHS:
        try:
            return datetime.fromisoformat(value + "+00:00")
        except ValueError:
            pass  # it names a zone of its own
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _mapping(value: object) -> dict[str, Any]:
    """A mapping, also from Cinder's and Nova's old `[{"key": …, "value": …}]`; empty for anything else."""
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    if isinstance(value, list):
        return {str(pair["key"]): pair.get("value") for pair in value if isinstance(pair, Mapping) and "key" in pair}
    return {}


def _records(value: object) -> list[Any]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value] if value else []
    return [str(item) for item in value if isinstance(item, str | int)] if isinstance(value, list | tuple) else []


def _number(value: object) -> object:
    return None if value == "" else value


Time = Annotated[datetime | None, BeforeValidator(parse_time)]
Pairs = Annotated[dict[str, Any], BeforeValidator(_mapping)]
Strings = Annotated[tuple[str, ...], BeforeValidator(_strings)]
Records = BeforeValidator(_records)
"""Put beside a tuple of models: whatever is no mapping is left out."""
Count = Annotated[int | None, BeforeValidator(_number)]


class Part(BaseModel):
    """A piece of a payload."""

    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True, populate_by_name=True)


class Payload(Part):
    """What happened, in the words of one service; `resource_id` and `owner_project_id` say to what and whose."""

    kind: ClassVar[str] = ""
    """What OpenStack calls the resource: server, port, volume, …"""

    misfits: tuple[str, ...] = Field(default=(), exclude=True)
    """Fields that came with another type than OpenStack documents, and were left out."""

    @property
    def resource_id(self) -> str | None:
        """The resource that it is about, by the id that its own API takes."""
        return None

    @property
    def owner_project_id(self) -> str | None:
        """The project that the resource belongs to, where the payload says it."""
        return None


P = TypeVar("P", bound=Part)


class Unmodelled(Payload):
    """A payload that no model is made for: kept as it came."""

    data: dict[str, Any] = Field(default_factory=dict)

    @property
    def resource_id(self) -> str | None:
        for name in ("id", "uuid", "resource_id", "resource_info"):
            if isinstance(found := self.data.get(name), str) and found:
                return found
        return None

    @property
    def owner_project_id(self) -> str | None:
        for name in ("project_id", "tenant_id", "owner"):
            if isinstance(found := self.data.get(name), str) and found:
                return found
        return None


def _without(data: Any, path: tuple[int | str, ...]) -> Any:
    """`data` less what lies at `path`; where the path leads nowhere (a validator changed the shape), less its head."""
    head, rest = path[0], path[1:]
    if isinstance(data, Mapping) and head in data:
        kept = dict(data)
        if rest and isinstance(data[head], Mapping | list):
            kept[str(head)] = _without(data[head], rest)
        else:
            del kept[str(head)]
        return kept
    if isinstance(data, list) and isinstance(head, int) and head < len(data):
        return [*data[:head], *([_without(data[head], rest)] if rest else []), *data[head + 1 :]]
    return data


def fit(model: type[P], data: Mapping[str, Any]) -> tuple[P | None, tuple[str, ...]]:
    """`data` as `model` less what does not fit, and the names of what was left out; None when nearly nothing fits."""
    misfits: tuple[str, ...] = ()
    fitting: Any = data
    while len(misfits) <= _MAX_MISFITS:
        try:
            return model.model_validate(fitting), misfits
        except ValidationError as error:
            before = fitting
            for problem in error.errors(include_url=False, include_context=False, include_input=False):
                if problem["loc"]:
                    fitting = _without(fitting, problem["loc"])
                    misfits += (".".join(map(str, problem["loc"])),)
            if fitting == before:
                break
    return None, misfits[:_MAX_MISFITS]


def read_as(model: type[Payload], data: Mapping[str, Any]) -> Payload:
    """`data` as `model`, less what does not fit, which `misfits` names; `Unmodelled` when nearly nothing fits."""
    read, misfits = fit(model, data)
    if read is None:
        return Unmodelled(data=dict(data), misfits=misfits)
    return read.model_copy(update={"misfits": misfits}) if misfits else read

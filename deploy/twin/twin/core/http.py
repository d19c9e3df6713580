"""A request as handlers see it, and their reply."""

import ast
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote

import orjson

from twin.core.caller import Caller
from twin.core.errors import ApiError


@dataclass(slots=True)
class Reply:
    """A status, a JSON body (bytes go out as they are, None as no body) and headers."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Request:
    """One call of the API."""

    method: str
    path: str
    """Below the service's prefix, beginning with a slash."""
    raw_query: str
    headers: dict[str, str]
    """Lower-case names."""
    content: bytes
    base_url: str
    """Where the service is: scheme, host, port and prefix, without a slash at the end."""
    request_id: str
    params: dict[str, str] = field(default_factory=dict)
    caller: Caller = field(default_factory=Caller)
    microversion: tuple[int, int] = (0, 0)
    _query: list[tuple[str, str]] | None = None

    @property
    def query(self) -> list[tuple[str, str]]:
        """Query parameters in their order."""
        if self._query is None:
            self._query = parse_qsl(self.raw_query, keep_blank_values=True)
        return self._query

    def one(self, name: str, default: str = "") -> str:
        """The last value of a query parameter."""
        return next((value for key, value in reversed(self.query) if key == name), default)

    def all(self, name: str) -> list[str]:
        """Every value of a query parameter."""
        return [value for key, value in self.query if key == name]

    def flag(self, name: str) -> bool:
        """Whether a query parameter says yes."""
        return truth(self.one(name))

    def json(self) -> Any:
        """The body; ApiError 400 when it is not JSON."""
        if not self.content:
            return {}
        try:
            return orjson.loads(self.content)
        except orjson.JSONDecodeError:
            raise ApiError(400, "Malformed request body") from None

    def body(self, key: str) -> dict[str, Any]:
        """The object under a key of the body; ApiError 400 without it."""
        document = self.json()
        value = document.get(key) if isinstance(document, dict) else None
        if not isinstance(value, dict):
            raise ApiError(400, f"Unable to find '{key}' in request body")
        return value

    def link(self, path: str) -> str:
        """The absolute URL of a path below the service."""
        return self.base_url + path

    def url_with(self, **changes: str) -> str:
        """This request's URL with query parameters changed or added at the end."""
        pairs = [(key, value) for key, value in self.query if key not in changes] + list(changes.items())
        text = "&".join(f"{quote(key, safe=':_-.')}={quote(value, safe=':_-.')}" for key, value in pairs)
        return f"{self.base_url}{self.path}" + (f"?{text}" if text else "")


def truth(value: object) -> bool:
    """OpenStack's reading of booleans in text."""
    return value is True or str(value).lower() in ("1", "true", "yes", "on", "t", "y")


def literal(text: str) -> dict[str, Any]:
    """A dictionary in a query parameter, in Python's form as Cinder and Manila read it; ApiError 400 when it is none."""
    if not text:
        return {}
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = None
    if not isinstance(value, dict):
        raise ApiError(400, f"Invalid input for query parameters metadata. Value: {text}.")
    return {str(key): str(content) for key, content in value.items()}

"""From a method and a path to a handler."""

from collections.abc import Callable
from typing import Any

from twin.core.errors import ApiError
from twin.core.http import Reply, Request

Handler = Callable[[Request], Reply]


class Router:
    """Templates such as `/v2.0/networks/{id}`; a literal segment wins over a parameter."""

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}

    def add(self, methods: str, template: str, handler: Handler) -> None:
        """Registers a handler for the methods, separated by spaces."""
        node = self._root
        names: list[str] = []
        for segment in template.strip("/").split("/"):
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node = node.setdefault("{}", {})
            else:
                node = node.setdefault(segment, {})
        handlers = node.setdefault("/", {})
        for method in methods.split():
            handlers[method] = (handler, tuple(names))

    def find(self, method: str, path: str) -> tuple[Handler, dict[str, str]]:
        """The handler and its parameters; ApiError 404 or 405 where there is none."""
        segments = [segment for segment in path.split("/") if segment]
        values: list[str] = []
        handlers = self._walk(self._root, segments or [""], 0, values)
        if handlers is None:
            raise ApiError(404, "The resource could not be found.")
        found = handlers.get(method) or (handlers.get("GET") if method == "HEAD" else None)
        if found is None:
            raise ApiError(405, "The method specified is not allowed for this resource.")
        return found[0], dict(zip(found[1], values, strict=True))

    def _walk(self, node: dict[str, Any], segments: list[str], at: int, values: list[str]) -> dict[str, Any] | None:
        if at == len(segments):
            handlers: dict[str, Any] | None = node.get("/")
            return handlers
        literal = node.get(segments[at])
        if literal is not None:
            found = self._walk(literal, segments, at + 1, values)
            if found is not None:
                return found
        wildcard = node.get("{}")
        if wildcard is not None:
            values.append(segments[at])
            found = self._walk(wildcard, segments, at + 1, values)
            if found is not None:
                return found
            values.pop()
        return None

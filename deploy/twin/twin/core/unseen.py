"""Reads that lag behind writes, as where a read goes to a copy of the database: what was just made is not there yet."""

from typing import Any

from twin.core.errors import ApiError
from twin.core.http import Reply, Request


class Unseen:
    """What was made lately, by its id, and when by the twin's clock."""

    def __init__(self) -> None:
        self._made: dict[str, float] = {}

    def remember(self, request: Request, reply: Reply, now_seconds: float) -> None:
        """What a call made, if it made something."""
        if request.method != "POST" or not 200 <= reply.status < 300 or not isinstance(reply.body, dict):
            return
        for value in reply.body.values():
            if isinstance(value, dict) and isinstance(value.get("id"), str):
                self._made[value["id"]] = now_seconds

    def hide(self, request: Request, reply: Reply, now_seconds: float, lag_seconds: float) -> Reply:
        """The reply without what is younger than that. Raises ApiError 404 when it was asked for by its id."""
        young = {each for each, made_at in self._made.items() if now_seconds - made_at < lag_seconds}
        if young.intersection(request.path.split("/")):
            raise ApiError(404, "The resource could not be found.")
        if not young or not isinstance(reply.body, dict):
            return reply
        shown = {name: _without(value, young) for name, value in reply.body.items()}
        return Reply(reply.status, shown, reply.headers)


def _without(value: Any, young: set[str]) -> Any:
    if not isinstance(value, list):
        return value
    return [each for each in value if not (isinstance(each, dict) and each.get("id") in young)]

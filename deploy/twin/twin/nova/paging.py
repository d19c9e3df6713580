"""Pages of Nova's and Cinder's lists: `limit`, `marker` and a `next` link."""

from typing import TYPE_CHECKING, Any

from twin.core.errors import ApiError
from twin.core.http import Request
from twin.core.table import Row

if TYPE_CHECKING:
    from twin.core.service import Service

MAX_PAGE = 1000
"""Nova's `[api] max_limit`."""


def paged(service: "Service", rows: list[Row], request: Request, plural: str) -> tuple[list[Row], dict[str, Any]]:
    """One page and its link."""
    limit_text = request.one("limit")
    if limit_text and not limit_text.isdigit():
        raise ApiError(400, f"Invalid input for query parameters limit. Value: {limit_text}.")
    limit = min(int(limit_text) if limit_text else MAX_PAGE, MAX_PAGE)
    marker = request.one("marker")
    if marker:
        at = next((index for index, row in enumerate(rows) if row["id"] == marker), None)
        if at is None:
            raise ApiError(400, f"marker [{marker}] not found")
        rows = rows[at + 1 :]
    page = rows[:limit]
    full = len(page) == limit and page and (limit_text or len(rows) > limit)
    if full:
        href = request.url_with(marker=page[-1]["id"])
        return page, {f"{plural}_links": [{"rel": "next", "href": href}]}
    return page, {}

"""Filters, sorting, fields and pages of Neutron's lists."""

from typing import TYPE_CHECKING, Any

from twin.core.http import Request, truth
from twin.core.table import Row, Table
from twin.neutron.errors import bad_request

if TYPE_CHECKING:
    from twin.neutron.collection import Collection

CONTROLS = frozenset(
    (
        "limit",
        "marker",
        "fields",
        "sort_key",
        "sort_dir",
        "page_reverse",
        "tags",
        "tags-any",
        "not-tags",
        "not-tags-any",
    )
)


def narrowed(table: Table, request: Request) -> list[Row]:
    """Candidate rows by the most telling index among the filters."""
    best: list[Row] | None = None
    for name in {name for name, _ in request.query if name not in CONTROLS}:
        key = "project_id" if name == "tenant_id" else name
        if key == "id":
            rows = [row for row in (table.get(value) for value in request.all(name)) if row is not None]
        elif table.indexed(key):
            rows = [row for value in request.all(name) for row in table.where(**{key: value})]
        else:
            continue
        if best is None or len(rows) < len(best):
            best = rows
    return list(table) if best is None else best


def filtered(collection: "Collection", rows: list[Row], request: Request) -> list[Row]:
    """Rows that every filter keeps; values of one attribute are alternatives."""
    wanted: dict[str, list[str]] = {}
    for name, value in request.query:
        if name not in CONTROLS:
            wanted.setdefault(name, []).append(value)
    unknown = [name for name in wanted if not collection.filterable(name)]
    if unknown:
        raise bad_request(f"{unknown} is invalid attribute for filtering")
    kept = [row for row in rows if all(_keeps(row, name, values) for name, values in wanted.items())]
    return _tagged(kept, request)


def _keeps(row: Row, name: str, values: list[str]) -> bool:
    if name == "tenant_id":
        name = "project_id"
    if name == "fixed_ips":
        return any(_has_fixed_ip(row, value) for value in values)
    actual = row.get(name)
    if isinstance(actual, bool):
        return any(truth(value) == actual for value in values)
    if isinstance(actual, list):
        return any(value in actual for value in values)
    if actual is None:
        return any(value in ("", "None") for value in values)
    return str(actual) in values


def _has_fixed_ip(row: Row, value: str) -> bool:
    key, _, wanted = value.partition("=")
    if key == "ip_address_substr":
        return any(wanted in ip["ip_address"] for ip in row.get("fixed_ips", []))
    return any(ip.get(key) == wanted for ip in row.get("fixed_ips", []))


def _tagged(rows: list[Row], request: Request) -> list[Row]:
    def split(name: str) -> set[str]:
        return {tag for value in request.all(name) for tag in value.split(",") if tag}

    every, some, not_every, none = split("tags"), split("tags-any"), split("not-tags"), split("not-tags-any")
    if every:
        rows = [row for row in rows if every <= set(row.get("tags", []))]
    if some:
        rows = [row for row in rows if some & set(row.get("tags", []))]
    if not_every:
        rows = [row for row in rows if not not_every <= set(row.get("tags", []))]
    if none:
        rows = [row for row in rows if not none & set(row.get("tags", []))]
    return rows


def page(rows: list[Row], plural: str, request: Request) -> tuple[list[Row], dict[str, Any]]:
    """One page and its links; pages are sorted by id when nothing else is asked."""
    keys = request.all("sort_key")
    directions = request.all("sort_dir")
    limit = int(request.one("limit")) if request.one("limit").isdigit() else 0
    if limit and "id" not in keys:
        keys, directions = [*keys, "id"], [*directions, "asc"]
    for key, direction in reversed(list(zip(keys, directions + ["asc"] * len(keys), strict=False))):
        rows = sorted(rows, key=lambda row: (row.get(key) is None, str(row.get(key))), reverse=direction == "desc")
    if not limit:
        return rows, {}
    backward = request.flag("page_reverse")
    marker = request.one("marker")
    at = next((index for index, row in enumerate(rows) if row["id"] == marker), None) if marker else None
    if backward:
        end = at if at is not None else len(rows)
        part = rows[max(0, end - limit) : end]
    else:
        start = at + 1 if at is not None else 0
        part = rows[start : start + limit]
    links = []
    if len(part) == limit or (backward and part):
        links.append({"rel": "next", "href": request.url_with(marker=part[-1]["id"])})
    if part:
        links.append({"rel": "previous", "href": request.url_with(marker=part[0]["id"], page_reverse="True")})
    else:
        links.append({"rel": "previous", "href": request.url_with(page_reverse="True")})
    return part, {f"{plural}_links": links}


def only_fields(view: dict[str, Any], request: Request) -> dict[str, Any]:
    """The attributes that `fields` names, or all."""
    fields = [name for value in request.all("fields") for name in value.split(",")]
    return {name: value for name, value in view.items() if name in fields} if fields else view

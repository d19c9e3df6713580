"""Whole lists from Neutron, page by page: a page that fails fails the list, so a short list is never taken for whole."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from openstack.connection import Connection
from openstack.exceptions import NotFoundException, raise_from_response

T = TypeVar("T")
PAGE_SIZE = 1000
MAX_PAGES = 10_000
ADMIN_ROLE = "admin"
MAX_FILTER_VALUES = 50
"""Ids in one request's query: beyond, the address would be longer than servers take."""


def everything(
    connection: Connection,
    path: str,
    key: str,
    read: Callable[[Mapping[str, Any]], T],
    **filters: str | Iterable[str] | None,
) -> tuple[T, ...]:
    """All resources of a collection that fit the filters; a filter with several values takes any of them.

    An empty list of values fits nothing and asks nothing.
    """
    fixed = [(name, value) for name, value in filters.items() if isinstance(value, str)]
    several = {
        name: sorted(set(value)) for name, value in filters.items() if value is not None and not isinstance(value, str)
    }
    if any(not values for values in several.values()):
        return ()
    if not several:
        return tuple(read(body) for body in _pages(connection, path, key, fixed))
    ((name, values),) = several.items()
    found: dict[str, T] = {}
    for start in range(0, len(values), MAX_FILTER_VALUES):
        query = [*fixed, *((name, value) for value in values[start : start + MAX_FILTER_VALUES])]
        found |= {str(body["id"]): read(body) for body in _pages(connection, path, key, query)}
    return tuple(found.values())


def trunks(
    connection: Connection, read: Callable[[Mapping[str, Any]], T], **filters: str | Iterable[str] | None
) -> tuple[T, ...]:
    """All trunks that fit the filters; a cloud without the trunk extension has none."""
    try:
        return everything(connection, "/trunks", "trunks", read, **filters)
    except NotFoundException:
        return ()


def _pages(connection: Connection, path: str, key: str, query: list[tuple[str, str]]) -> Iterable[Mapping[str, Any]]:
    following: list[tuple[str, str]] | None = [*query, ("limit", str(PAGE_SIZE))]
    while following is not None:
        response = connection.network.get(path, params=following)
        raise_from_response(response)
        body = response.json()
        yield from body[key]
        following = None
        for link in body.get(f"{key}_links") or ():
            if link.get("rel") == "next" and body[key]:
                following = parse_qsl(urlsplit(link["href"]).query)


def project_ids(connection: Connection) -> frozenset[str] | None:
    """All projects that exist; None for an account that Keystone would show some of them only."""
    auth: Any = connection.session.auth
    if ADMIN_ROLE not in auth.get_access(connection.session).role_names:
        return None
    return frozenset(str(body["id"]) for body in pages_of(connection.identity, "/projects", "projects"))


def pages_of(proxy: Any, path: str, key: str, microversion: str = "") -> Iterator[Mapping[str, Any]]:
    """A collection of Nova, Cinder, Glance or Keystone, page by page. A page that fails fails the list."""
    parts = urlsplit(path)
    query = [*parse_qsl(parts.query), *([] if key == "projects" else [("limit", str(PAGE_SIZE))])]
    for _ in range(MAX_PAGES):
        response = proxy.get(parts.path, params=query, **({"microversion": microversion} if microversion else {}))
        raise_from_response(response)
        body = response.json()
        yield from (dict(each) for each in body[key])
        following = _next(body, key)
        if not following or not body[key]:
            return
        query = parse_qsl(urlsplit(following).query)


def _next(body: Mapping[str, Any], key: str) -> str:
    for link in body.get(f"{key}_links") or ():
        if link.get("rel") == "next":
            return str(link["href"])
    links = body.get("links")
    in_links = links.get("next") if isinstance(links, Mapping) else None
    return str(body.get("next") or in_links or "")

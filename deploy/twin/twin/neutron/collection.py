"""What Neutron's resources have in common: CRUD, bulk create, If-Match, tags, quotas, notifications."""

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.clock import zulu
from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row, Table
from twin.neutron.errors import bad_request, disallowed, over_quota, refused
from twin.neutron.listing import filtered, narrowed, only_fields, page

if TYPE_CHECKING:
    from twin.neutron.service import Neutron

IF_MATCH = re.compile(r"^\s*revision_number\s*=\s*(\d+)\s*$")


class Collection(ABC):
    """One kind of resource. Subclasses make, change, check and drop rows."""

    singular: str
    plural: str
    path: str
    label: str
    """As in `NetworkNotFound`."""
    title = ""
    """The resource's name in messages where it is not `Network`."""
    create_attributes: frozenset[str] = frozenset()
    update_attributes: frozenset[str] = frozenset()
    admin_attributes: frozenset[str] = frozenset()
    """Shown to, and set by, administrators only."""
    filters: frozenset[str] = frozenset()
    quota: str | None = None
    taggable = True

    def __init__(self, neutron: "Neutron", *indexed: str) -> None:
        self.neutron = neutron
        self.cloud = neutron.cloud
        self.table = Table("project_id", *indexed)
        base = f"/v2.0/{self.path}"
        router = neutron.router
        router.add("GET", base, self.list)
        router.add("POST", base, self.create)
        router.add("GET", base + "/{id}", self.show)
        router.add("PUT", base + "/{id}", self.update)
        router.add("DELETE", base + "/{id}", self.delete)
        if self.taggable:
            from twin.neutron.tags import tag_routes

            tag_routes(self)

    # What a subclass says about its rows.

    @abstractmethod
    def make(self, body: dict[str, Any], caller: Caller) -> Row:
        """A new row, added to the table, from a checked body."""

    def change(self, row: Row, body: dict[str, Any], caller: Caller) -> None:
        """Applies an update."""
        self.table.change(row, **body)

    def check_delete(self, row: Row, caller: Caller) -> None:  # noqa: B027  # most rows may go at any time
        """ApiError when the row is in use."""

    def drop(self, row: Row) -> None:
        """Takes the row out, and what goes with it."""
        self.table.remove(row["id"])

    def view(self, row: Row, caller: Caller, *, single: bool = True) -> dict[str, Any]:
        """The row as the caller may see it."""
        view = {name: value for name, value in row.items() if not name.startswith("_")}
        if not caller.is_admin:
            for name in self.admin_attributes:
                view.pop(name, None)
        return view

    def visible(self, row: Row, caller: Caller) -> bool:
        """Whether the caller may see the row."""
        return caller.sees(row["project_id"])

    def missing(self, row_id: str) -> ApiError:
        """The 404."""
        return refused(
            404, f"{self.label}NotFound", f"{self.title or self.singular.capitalize()} {row_id} could not be found."
        )

    def filterable(self, name: str) -> bool:
        """Whether lists may be filtered by the attribute."""
        return name in self.filters or name in (
            "id",
            "project_id",
            "tenant_id",
            "name",
            "description",
            "revision_number",
        )

    # The API.

    def list(self, request: Request) -> Reply:
        """GET of the collection."""
        caller = request.caller
        rows = [row for row in filtered(self, narrowed(self.table, request), request) if self.visible(row, caller)]
        rows, links = page(rows, self.plural, request)
        views = [only_fields(self.view(row, caller, single=False), request) for row in rows]
        return Reply(200, {self.plural: views, **links})

    def show(self, request: Request) -> Reply:
        """GET of one."""
        row = self.found(request.params["id"], request.caller)
        return Reply(200, {self.singular: only_fields(self.view(row, request.caller), request)})

    def create(self, request: Request) -> Reply:
        """POST: one, or several in bulk; a bulk create is one notification."""
        document = request.json()
        caller = request.caller
        bulk = isinstance(document, dict) and self.plural in document
        key = self.plural if bulk else self.singular
        if not isinstance(document, dict) or key not in document:
            raise bad_request(f"Unable to find '{self.singular}' in request body")
        bodies = document[key] if bulk else [document[key]]
        checked = [self._checked(body, caller, "POST") for body in bodies]
        self.emit("create.start", document, caller)
        made: list[Row] = []
        try:
            for body in checked:
                project = body.get("project_id") or body.get("tenant_id") or caller.project_id
                if project != caller.project_id and not caller.is_admin:
                    raise disallowed(f"rule:create_{self.singular}")
                body["project_id"] = project
                body.pop("tenant_id", None)
                self.check_quota(project)
                made.append(self.make(body, caller))
        except ApiError:
            for row in reversed(made):
                self.drop(row)
            raise
        views = [self.view(row, caller) for row in made]
        answer: dict[str, Any] = {self.plural: views} if bulk else {self.singular: views[0]}
        self.emit("create.end", answer, caller)
        return Reply(201, answer)

    def update(self, request: Request) -> Reply:
        """PUT of one."""
        row = self.found(request.params["id"], request.caller, own=True)
        document = request.json()
        if not isinstance(document, dict) or self.singular not in document:
            raise bad_request(f"Unable to find '{self.singular}' in request body")
        body = self._checked(document[self.singular], request.caller, "PUT")
        self.check_revision(row, request)
        self.emit("update.start", {**document, "id": row["id"]}, request.caller)
        self.change(row, body, request.caller)
        self.touch(row)
        answer = {self.singular: self.view(row, request.caller)}
        self.emit("update.end", answer, request.caller)
        return Reply(200, answer)

    def delete(self, request: Request) -> Reply:
        """DELETE of one."""
        row = self.found(request.params["id"], request.caller, own=True)
        self.emit("delete.start", {f"{self.singular}_id": row["id"]}, request.caller)
        self.check_revision(row, request)
        self.check_delete(row, request.caller)
        last = self.final_view(row)
        self.drop(row)
        self.emit("delete.end", {f"{self.singular}_id": row["id"], self.singular: last}, request.caller)
        return Reply(204)

    # Parts.

    def final_view(self, row: Row) -> dict[str, Any]:
        """The row in its delete notification: unfiltered."""
        return self.view(row, Caller(roles=("admin",)))

    def found(self, row_id: str, caller: Caller, *, own: bool = False) -> Row:
        """The row; ApiError 404 when there is none or it is none of the caller's business."""
        row = self.table.get(row_id)
        if row is None or not self.visible(row, caller) or (own and not caller.sees(row["project_id"])):
            raise self.missing(row_id)
        return row

    def check_revision(self, row: Row, request: Request) -> None:
        """ApiError 412 when If-Match names another revision."""
        wanted = IF_MATCH.match(request.headers.get("if-match", ""))
        if wanted and int(wanted.group(1)) != row["revision_number"]:
            message = f"Constrained to {wanted.group(1)}, but current revision is {row['revision_number']}"
            raise refused(412, "RevisionNumberConstraintFailed", message)

    def check_quota(self, project_id: str) -> None:
        """ApiError 409 when the project may have no more."""
        if self.quota is None:
            return
        limit = self.neutron.quotas.limit(project_id, self.quota)
        if 0 <= limit <= self.used(project_id):
            raise over_quota(self.quota)

    def used(self, project_id: str) -> int:
        """How many the project has."""
        return len(self.table.where(project_id=project_id))

    def touch(self, row: Row, revisions: int = 1) -> None:
        """A change of the row: revision and time."""
        row["revision_number"] += revisions
        row["updated_at"] = zulu(self.cloud.clock.now())

    def emit(self, action: str, payload: dict[str, Any], caller: Caller) -> None:
        """`<resource>.<action>` on the exchange `neutron`."""
        self.neutron.emit(f"{self.singular}.{action}", payload, caller)

    def standard(self, body: dict[str, Any]) -> Row:
        """The attributes that every resource starts with."""
        now = zulu(self.cloud.clock.now())
        return {
            "id": self.cloud.chance.uuid(self.singular),
            "project_id": body["project_id"],
            "tenant_id": body["project_id"],
            "description": body.get("description") or "",
            "created_at": now,
            "updated_at": now,
            "revision_number": 0,
            **({"tags": []} if self.taggable else {}),
        }

    def _checked(self, body: Any, caller: Caller, method: str) -> dict[str, Any]:
        if not isinstance(body, dict):
            raise bad_request("Resource body required")
        allowed = self.create_attributes | {"project_id", "tenant_id"} if method == "POST" else self.update_attributes
        known = self.create_attributes | self.update_attributes | {"id", "project_id", "tenant_id", "tags", "status"}
        known |= {"created_at", "updated_at", "revision_number"}
        for name in body:
            if name not in known:
                raise bad_request(f"Unrecognized attribute(s) '{name}'")
            if name not in allowed:
                raise bad_request(f"Attribute '{name}' not allowed in {method}")
        if not caller.is_admin:
            action = "create" if method == "POST" else "update"
            rule = f"{action}_{self.singular}"
            for name in sorted(self.admin_attributes & set(body)):
                raise disallowed(f"(rule:{rule} and rule:{rule}:{name})")
        return dict(body)

"""Who calls: what a token stands for."""

from dataclasses import dataclass, replace

from oslo_context.context import RequestContext


@dataclass(frozen=True, slots=True)
class Caller:
    """The user, the scope and the roles behind a request; the empty one has no token."""

    user_id: str = ""
    user_name: str = ""
    user_domain_id: str = "default"
    project_id: str = ""
    project_name: str = ""
    system: bool = False
    roles: tuple[str, ...] = ()
    request_id: str = ""
    global_request_id: str | None = None
    remote_address: str = "127.0.0.1"

    @property
    def is_admin(self) -> bool:
        """The admin role on whatever the scope is."""
        return "admin" in self.roles

    def sees(self, project_id: str | None) -> bool:
        """Whether resources of the project are this caller's business."""
        return self.is_admin or (bool(self.project_id) and self.project_id == project_id)

    def onward(self, request_id: str) -> "Caller":
        """The same caller in a call from one service to another: the first request's id becomes the global one."""
        return replace(self, request_id=request_id, global_request_id=self.global_request_id or self.request_id)

    def elevated(self) -> "Caller":
        """With the admin role added, as services do inside."""
        return self if self.is_admin else replace(self, roles=(*self.roles, "admin"))


class NotificationContext(RequestContext):
    """A request context for oslo.messaging, which drops plain dicts; it never held a token, so nothing is redacted."""

    def __init__(self, values: dict[str, object]) -> None:
        super().__init__(overwrite=False)
        self._values = values

    def redacted_copy(self, **_: object) -> "NotificationContext":
        """Itself."""
        return self

    def to_dict(self) -> dict[str, object]:
        """The fields that become `_context_*` in the message."""
        return self._values


def context_values(caller: Caller, extra: dict[str, object]) -> dict[str, object]:
    """The common `_context_*` fields (oslo.context's own) and a service's own."""
    project = caller.project_id or None
    domain = "default" if project else None
    return {
        "user": caller.user_id,
        "project_id": project,
        "system_scope": "all" if caller.system else None,
        "project": project,
        "domain": None,
        "user_domain": caller.user_domain_id,
        "project_domain": domain,
        "is_admin": caller.is_admin,
        "read_only": False,
        "show_deleted": False,
        "auth_token": None,
        "request_id": caller.request_id,
        "global_request_id": caller.global_request_id,
        "resource_uuid": None,
        "roles": list(caller.roles),
        "user_identity": f"{caller.user_id} {project or '-'} - {caller.user_domain_id} {domain or '-'}",
        "is_admin_project": True,
        **extra,
    }

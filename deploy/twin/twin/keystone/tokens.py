"""Tokens: issued, looked up, expired. Roles are read anew at each use, as Keystone does with Fernet tokens."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twin.core.caller import Caller

if TYPE_CHECKING:
    from twin.keystone.service import Keystone

MAX_TOKENS = 50_000
"""Past it the oldest are forgotten, as memory is bounded."""

IMPLIED = {"admin": ("manager",), "manager": ("member",), "member": ("reader",)}
"""Keystone's bootstrap makes each of these imply the next."""


@dataclass(frozen=True, slots=True)
class Token:
    """What was authenticated, and until when (twin seconds)."""

    id: str
    user_id: str
    method: str
    issued_seconds: float
    expires_seconds: float
    audit_id: str
    project_id: str | None = None
    system: bool = False
    credential_id: str | None = None
    role_ids: tuple[str, ...] | None = None
    """Of an application credential; None takes the user's assignments."""


class Tokens:
    """The tokens in force."""

    def __init__(self, keystone: "Keystone") -> None:
        self._keystone = keystone
        self._tokens: dict[str, Token] = {}

    def issue(
        self,
        user_id: str,
        method: str,
        project_id: str | None = None,
        system: bool = False,
        credential_id: str | None = None,
        role_ids: tuple[str, ...] | None = None,
    ) -> Token:
        """A new token."""
        cloud = self._keystone.cloud
        now = cloud.clock.seconds()
        token = Token(
            "gAAAAA" + cloud.chance.hex_id("token") + cloud.chance.hex_id("token"),
            user_id,
            method,
            now,
            now + cloud.settings.token_lifetime_seconds,
            cloud.chance.word("audit", 22),
            project_id,
            system,
            credential_id,
            role_ids,
        )
        self._tokens[token.id] = token
        while len(self._tokens) > MAX_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        return token

    def get(self, token_id: str) -> Token | None:
        """The token while it is good: not expired, its user and scope still there, a role left on the scope."""
        token = self._tokens.get(token_id)
        if token is None:
            return None
        if token.expires_seconds <= self._keystone.cloud.clock.seconds():
            del self._tokens[token_id]
            return None
        return token if self.roles(token) is not None else None

    def revoke(self, token_id: str) -> None:
        """Forgets a token."""
        self._tokens.pop(token_id, None)

    def roles(self, token: Token) -> tuple[str, ...] | None:
        """Role ids of the token, implied ones included; None when it is good no more."""
        keystone = self._keystone
        user = keystone.users.get(token.user_id)
        if user is None or not user["enabled"]:
            return None
        if token.credential_id is not None and token.credential_id not in keystone.credentials:
            return None
        if token.project_id is None and not token.system:
            return ()
        if token.project_id is not None:
            project = keystone.projects.get(token.project_id)
            if project is None or not project["enabled"]:
                return None
        scope = ("system", "all") if token.system else ("project", token.project_id or "")
        held = keystone.assignments.effective(token.user_id, scope)
        if token.role_ids is not None:
            held = tuple(role for role in token.role_ids if role in held)
        return held or None

    def permits(self, token_id: str, service_type: str, method: str, path: str) -> bool:
        """Whether the application credential behind the token, if there is one with access rules, allows the request.

        As keystonemiddleware does it in each service (`_validate_access_rules`): one rule has to fit by service, method
        and path; in a rule's path `*` and `{name}` are one segment, `**` is any number.
        """
        token = self._tokens.get(token_id)
        credential = self._keystone.credentials.get(token.credential_id) if token and token.credential_id else None
        rules = credential.get("access_rules") if credential else None
        return rules is None or any(
            rule.get("service") == service_type
            and rule.get("method") == method
            and _path_fits(str(rule.get("path") or ""), path)
            for rule in rules
        )

    def caller(self, token_id: str) -> Caller | None:
        """Who the token stands for, or None."""
        token = self._tokens.get(token_id)
        if token is None or self.get(token_id) is None:
            return None
        keystone = self._keystone
        user = keystone.users.get(token.user_id)
        roles = self.roles(token)
        if user is None or roles is None:
            return None
        project = keystone.projects.get(token.project_id) if token.project_id else None
        names = tuple(role["name"] for role in (keystone.roles.get(role_id) for role_id in roles) if role is not None)
        return Caller(
            user_id=user["id"],
            user_name=user["name"],
            user_domain_id=user["domain_id"],
            project_id=project["id"] if project else "",
            project_name=project["name"] if project else "",
            system=token.system,
            roles=names,
        )


def _path_fits(pattern: str, path: str) -> bool:
    parts = re.split(r"(\*\*|\*|\{[^}]*\})", pattern)
    wild = {"**": ".*", "*": "[^/]+"}
    return (
        re.fullmatch("".join(wild.get(one) or ("[^/]+" if one[:1] == "{" else re.escape(one)) for one in parts), path)
        is not None
    )

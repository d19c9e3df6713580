"""Authentication: passwords, application credentials and tokens, scoped to a project or the system."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from twin.core.clock import micros
from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row
from twin.keystone import audit
from twin.keystone.tokens import Token

if TYPE_CHECKING:
    from twin.keystone.service import Keystone


def routes(keystone: "Keystone") -> None:
    """Registers this room's paths."""
    router = keystone.router
    router.add("POST", "/v3/auth/tokens", lambda request: _authenticate(keystone, request))
    router.add("GET", "/v3/auth/tokens", lambda request: _validate(keystone, request))
    router.add("DELETE", "/v3/auth/tokens", lambda request: _revoke(keystone, request))
    router.add("GET", "/v3/auth/projects", lambda request: _my_projects(keystone, request))
    router.add("GET", "/v3/auth/catalog", lambda request: _my_catalog(keystone, request))


def _unauthorized(message: str = "The request you have made requires authentication.") -> ApiError:
    return ApiError(401, message)


def _authenticate(keystone: "Keystone", request: Request) -> Reply:
    document = request.json()
    if not isinstance(document, dict) or not isinstance(document.get("auth"), dict):
        raise ApiError(
            400,
            "Expecting to find auth in request body. The server could not comply with the request since it is either "
            "malformed or otherwise incorrect. The client is assumed to be in error.",
        )
    asked = document["auth"]
    identity = asked.get("identity") or {}
    methods = identity.get("methods") or []
    if "password" in methods:
        user = _by_password(keystone, request, identity.get("password") or {})
        token = _scoped(keystone, user, "password", asked.get("scope"))
    elif "application_credential" in methods:
        token = _by_credential(keystone, request, identity.get("application_credential") or {})
    elif "token" in methods:
        old = keystone.tokens.get(str((identity.get("token") or {}).get("id", "")))
        if old is None:
            raise _unauthorized()
        user = _user(keystone, old.user_id)
        token = _scoped(keystone, user, "token", asked.get("scope"))
    else:
        raise _unauthorized("Attempted to authenticate with an unsupported method.")
    audit.authenticated(keystone, request, keystone.users.get(token.user_id), success=True)
    return Reply(201, {"token": describe(keystone, token)}, {"X-Subject-Token": token.id})


def _by_password(keystone: "Keystone", request: Request, given: dict[str, Any]) -> Row:
    user = _named_user(keystone, given.get("user") or {})
    if user is None or not user["enabled"] or user["_password"] != (given.get("user") or {}).get("password"):
        audit.authenticated(keystone, request, user, success=False)
        raise _unauthorized()
    return user


def _named_user(keystone: "Keystone", asked: dict[str, Any]) -> Row | None:
    if "id" in asked:
        return keystone.users.get(str(asked["id"]))
    domain = _domain_id(keystone, asked.get("domain") or {})
    found = keystone.users.where(name=asked.get("name"), domain_id=domain)
    return found[0] if found else None


def _domain_id(keystone: "Keystone", asked: dict[str, Any]) -> str:
    if "id" in asked:
        return str(asked["id"])
    found = keystone.domains.where(name=asked.get("name", "Default"))
    return str(found[0]["id"]) if found else ""


def _user(keystone: "Keystone", user_id: str) -> Row:
    user = keystone.users.get(user_id)
    if user is None:
        raise _unauthorized()
    return user


def _scoped(keystone: "Keystone", user: Row, method: str, scope: Any) -> Token:
    if not isinstance(scope, dict):
        return keystone.tokens.issue(user["id"], method, project_id=user.get("default_project_id"))
    if "system" in scope:
        token = keystone.tokens.issue(user["id"], method, system=True)
    elif "project" in scope:
        asked = scope["project"]
        if "id" in asked:
            project = keystone.projects.get(str(asked["id"]))
        else:
            found = keystone.projects.where(
                name=asked.get("name"), domain_id=_domain_id(keystone, asked.get("domain") or {})
            )
            project = found[0] if found else None
        if project is None:
            raise _unauthorized()
        token = keystone.tokens.issue(user["id"], method, project_id=project["id"])
    else:
        raise _unauthorized()
    if keystone.tokens.get(token.id) is None:
        keystone.tokens.revoke(token.id)
        raise _unauthorized()
    return token


def _by_credential(keystone: "Keystone", request: Request, given: dict[str, Any]) -> Token:
    credential: Row | None = None
    if "id" in given:
        credential = keystone.credentials.get(str(given["id"]))
    else:
        user = _named_user(keystone, given.get("user") or {})
        found = keystone.credentials.where(user_id=user["id"], name=given.get("name")) if user else []
        credential = found[0] if found else None
    good = credential is not None and credential["_secret"] == given.get("secret")
    if credential is None or not good or _expired(keystone, credential):
        audit.authenticated(
            keystone, request, keystone.users.get(credential["user_id"]) if credential else None, success=False
        )
        raise _unauthorized()
    token = keystone.tokens.issue(
        credential["user_id"],
        "application_credential",
        project_id=credential["project_id"],
        credential_id=credential["id"],
        role_ids=tuple(role["id"] for role in credential["roles"]),
    )
    if keystone.tokens.get(token.id) is None:
        raise _unauthorized()
    return token


def _expired(keystone: "Keystone", credential: Row) -> bool:
    text = credential["expires_at"]
    return bool(text) and datetime.fromisoformat(text).replace(tzinfo=UTC) <= keystone.cloud.clock.now()


def describe(keystone: "Keystone", token: Token) -> dict[str, Any]:
    """The token's document."""
    user = _user(keystone, token.user_id)
    domain = {"id": "default", "name": "Default"}
    document: dict[str, Any] = {
        "methods": [token.method],
        "user": {"domain": domain, "id": user["id"], "name": user["name"], "password_expires_at": None},
        "audit_ids": [token.audit_id],
        "expires_at": _moment(token.expires_seconds),
        "issued_at": _moment(token.issued_seconds),
    }
    if token.project_id is not None or token.system:
        roles = [keystone.roles.get(role_id) for role_id in keystone.tokens.roles(token) or ()]
        document["roles"] = [{"id": role["id"], "name": role["name"]} for role in roles if role is not None]
        document["catalog"] = keystone.catalog()
    if token.system:
        document["system"] = {"all": True}
    credential = keystone.credentials.get(token.credential_id) if token.credential_id else None
    if credential is not None:
        restricted = not credential["unrestricted"]
        document["application_credential"] = {
            "id": credential["id"],
            "name": credential["name"],
            "restricted": restricted,
        }
    if token.project_id is not None:
        project = keystone.projects.get(token.project_id)
        if project is None:
            raise _unauthorized()
        document["project"] = {"domain": domain, "id": project["id"], "name": project["name"]}
        document["is_domain"] = False
    return document


def _moment(seconds: float) -> str:
    return micros(datetime.fromtimestamp(int(seconds), UTC)) + "Z"


def _subject(keystone: "Keystone", request: Request) -> Token:
    token = keystone.tokens.get(request.headers.get("x-subject-token", ""))
    if token is None:
        raise ApiError(404, "Could not find token.")
    return token


def _validate(keystone: "Keystone", request: Request) -> Reply:
    if "x-subject-token" not in request.headers:
        raise ApiError(404, "No token in the request")
    token = _subject(keystone, request)
    return Reply(200, {"token": describe(keystone, token)}, {"X-Subject-Token": token.id})


def _revoke(keystone: "Keystone", request: Request) -> Reply:
    keystone.tokens.revoke(_subject(keystone, request).id)
    return Reply(204)


def _my_projects(keystone: "Keystone", request: Request) -> Reply:
    mine = [
        project
        for project in keystone.projects
        if keystone.assignments.effective(request.caller.user_id, ("project", project["id"]))
    ]
    return keystone.listed(request, "projects", mine)


def _my_catalog(keystone: "Keystone", request: Request) -> Reply:
    links = {"next": None, "self": request.url_with(), "previous": None}
    return Reply(200, {"catalog": keystone.catalog(), "links": links})

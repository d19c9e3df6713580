"""Key pairs."""

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Any

from twin.core.clock import micros, whole
from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row
from twin.nova import events, payloads
from twin.nova.paging import paged

if TYPE_CHECKING:
    from twin.nova.service import Nova


def routes(nova: "Nova") -> None:
    """Registers this room's paths."""
    router = nova.router
    router.add("GET", "/v2.1/os-keypairs", lambda request: _list(nova, request))
    router.add("POST", "/v2.1/os-keypairs", lambda request: _create(nova, request))
    router.add("GET", "/v2.1/os-keypairs/{name}", lambda request: _show(nova, request))
    router.add("DELETE", "/v2.1/os-keypairs/{name}", lambda request: _delete(nova, request))


def _user(request: Request) -> str:
    asked = request.one("user_id")
    if asked and asked != request.caller.user_id and not request.caller.is_admin:
        raise ApiError(403, "Policy doesn't allow os_compute_api:os-keypairs:index to be performed.")
    return asked or request.caller.user_id


def _row(nova: "Nova", request: Request) -> Row:
    user, name = _user(request), request.params["name"]
    row = nova.keypair(user, name)
    if row is None:
        raise ApiError(404, f"Keypair {name} not found for user {user}")
    return row


def _list(nova: "Nova", request: Request) -> Reply:
    rows, more = paged(nova, nova.keypairs.where(user_id=_user(request)), request, "keypairs")
    names = ("name", "public_key", "fingerprint", "type")
    return Reply(200, {"keypairs": [{"keypair": {name: row[name] for name in names}} for row in rows], **more})


def _show(nova: "Nova", request: Request) -> Reply:
    row = _row(nova, request)
    view = {
        "name": row["name"],
        "public_key": row["public_key"],
        "fingerprint": row["fingerprint"],
        "user_id": row["user_id"],
        "created_at": micros(row["created"]),
        "deleted": False,
        "deleted_at": None,
        "id": row["number"],
        "updated_at": None,
        "type": row["type"],
    }
    return Reply(200, {"keypair": view})


def _fingerprint(public_key: str) -> str:
    parts = public_key.split()
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except (IndexError, binascii.Error, ValueError):
        raise ApiError(400, "Keypair data is invalid: failed to generate fingerprint") from None
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, 32, 2))


def _create(nova: "Nova", request: Request) -> Reply:
    body = request.body("keypair")
    name = str(body.get("name") or "")
    if not name or len(name) > 255:
        raise ApiError(400, f"Invalid input for field/attribute name. Value: {name}.")
    user = body.get("user_id") or request.caller.user_id
    answer: dict[str, Any] = {"type": body.get("type", "ssh")}
    public_key, private_key, word = body.get("public_key"), None, "import"
    if public_key is None:
        if request.microversion >= (2, 92):
            raise ApiError(
                400, f"Invalid input for field/attribute keypair. Value: {body}. 'public_key' is a required property"
            )
        word = "create"
        blob = base64.b64encode(nova.cloud.chance.stream("keypair").randbytes(51)).decode()
        public_key = f"ssh-rsa {blob} Generated-by-Nova"
        private_key = "-----BEGIN RSA PRIVATE KEY-----\n" + blob + "\n-----END RSA PRIVATE KEY-----\n"  # gitleaks:allow
    row: Row = {
        "id": f"{user}:{name}",
        "number": nova.quotas.next_number("keypair"),
        "name": name,
        "user_id": user,
        "public_key": public_key,
        "fingerprint": None,
        "type": answer["type"],
        "created": whole(nova.cloud.clock.now()),
    }
    fingerprint = _fingerprint(public_key)
    if nova.keypair(user, name) is not None:
        raise ApiError(409, f"Key pair '{name}' already exists.")
    nova.quotas.check_keypairs(user)
    _emit(nova, request, row, f"{word}.start", fingerprint=False)
    row["fingerprint"] = fingerprint
    nova.keypairs.add(row)
    _emit(nova, request, row, f"{word}.end")
    answer.update(name=name, public_key=public_key, fingerprint=fingerprint, user_id=user)
    if private_key is not None:
        answer["private_key"] = private_key
    return Reply(201 if request.microversion >= (2, 2) else 200, {"keypair": answer})


def _delete(nova: "Nova", request: Request) -> Reply:
    row = _row(nova, request)
    _emit(nova, request, row, "delete.start")
    nova.keypairs.remove(row["id"])
    _emit(nova, request, row, "delete.end")
    return Reply(204 if request.microversion >= (2, 2) else 202)


def _emit(nova: "Nova", request: Request, row: Row, action: str, *, fingerprint: bool = True) -> None:
    caller = request.caller
    plain = {"tenant_id": caller.project_id, "user_id": row["user_id"], "key_name": row["name"]}
    events.plain(nova, "api.ctl", f"keypair.{action}", plain, caller)
    document = payloads.keypair_payload(row, fingerprint=fingerprint)
    events.versioned(nova, "nova-api:ctl", f"keypair.{action}", document, caller)

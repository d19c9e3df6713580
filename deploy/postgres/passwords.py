"""PostgreSQL's side of the secrets: SCRAM verifiers, so that no password is in a file PostgreSQL reads."""

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Final

ROLES: Final = ("provisioner", "network_policy", "storage", "burst_scheduler", "security_monitor")
_ITERATIONS: Final = 4096


def scram_verifier(password: str, salt: bytes | None = None) -> str:
    """What PostgreSQL stores for a password under SCRAM-SHA-256 (RFC 5803, with PostgreSQL's separators).

    Passwords are ASCII, so that the preparation of RFC 4013 leaves them as they are.
    """
    salt = os.urandom(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${_ITERATIONS}:{salt_text}${stored_text}:{server_text}"


def passwords_sql(passwords: Mapping[str, str]) -> str:
    """The statements that set every role's password. Raises KeyError when one is missing."""
    return "".join(f"ALTER ROLE {role} PASSWORD '{scram_verifier(passwords[role])}';\n" for role in ROLES)

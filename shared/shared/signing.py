"""Who said it: Ed25519 signatures over the exact bytes of a message, and the keyring that they are checked against.

A signature travels beside the body as a detached JWS (RFC 7515, appendix F; algorithm `Ed25519` of RFC 9864), so the
body is never serialised again to be verified. The keyring is a file of public keys with what each may do; the private
key of a service or person is a file of its own that nobody else reads.
"""

import base64
import json
import os
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from contracts.envelope import MAX_BODY_BYTES, Role
from shared.errors import Configuration
from shared.telemetry import logger

ALGORITHM = "Ed25519"
MAX_SIGNATURE_CHARACTERS = 1024
MAX_KEYRING_BYTES = 4 * 1024 * 1024


class _Registry(jws.JWSRegistry):
    """joserfc's own bound on a payload is below a whole command, in base64."""

    max_payload_length = 2 * MAX_BODY_BYTES


_REGISTRY = _Registry(algorithms=[ALGORITHM])

KeyId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]*$", max_length=120)]


class Untrusted(Exception):
    """The signature doesn't make the bytes anybody's; `reason` is one of InputRefused's."""

    def __init__(
        self, reason: Literal["unsigned", "unknown-key", "bad-signature", "revoked-key"], detail: str, kid: str = ""
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.kid = kid


@dataclass(frozen=True)
class Coverage:
    """The workspaces that somebody's key is good for."""

    patterns: tuple[str, ...]
    """Shell patterns of a workspace's characters, `*` and `?`."""

    def covers(self, workspace: str) -> bool:
        """Whether that workspace is one of them."""
        return any(fnmatchcase(workspace, pattern) for pattern in self.patterns)

    @property
    def is_everything(self) -> bool:
        return "*" in self.patterns

    @property
    def like(self) -> list[str]:
        """The patterns as SQL's LIKE has them, for lists that end after so many rows."""
        return [pattern.replace("*", "%").replace("?", "_") for pattern in self.patterns]


EVERYTHING = Coverage(("*",))


class PublicKey(BaseModel):
    """One key of the ring: whose it is and what it is good for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kid: KeyId
    holder: KeyId
    """A person's address, or a service's name."""
    roles: frozenset[Role]
    workspaces: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9*?-]+$", max_length=60)], ...] = ("*",)
    """Shell patterns of the workspaces that it may command and ask about."""
    public: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
    """The key's `x` as in RFC 8037."""
    not_before: datetime
    not_after: datetime
    revoked_at: datetime | None = None

    def covers(self, workspace: str) -> bool:
        """Whether the key may command that workspace."""
        return self.coverage.covers(workspace)

    @property
    def coverage(self) -> Coverage:
        return Coverage(self.workspaces)


class KeyringFile(BaseModel):
    """The keyring as a file."""

    model_config = ConfigDict(extra="forbid")

    keys: tuple[PublicKey, ...] = Field(max_length=10_000)


class Signer:
    """Signs as one key's holder."""

    def __init__(self, kid: str, private: str) -> None:
        """`private` is the JWK of the private key, as text."""
        self.kid = kid
        self._header = {"alg": ALGORITHM, "kid": kid}
        try:
            self._key = OKPKey.import_key(json.loads(private))
        except (ValueError, JoseError) as error:
            raise Configuration(f"the private key of '{kid}' is no Ed25519 JWK ({type(error).__name__})") from None

    @classmethod
    def load(cls, path: Path) -> "Signer":
        """The signer whose private key lies at `path`: a JWK with its `kid`."""
        try:
            if path.stat().st_mode & 0o077:
                raise Configuration(f"{path} can be read by others than its owner: chmod 600 {path}")
            text = path.read_text()
            kid = json.loads(text)["kid"]
        except OSError as error:
            raise Configuration(f"the signing key {path} can't be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            raise Configuration(f"{path} is no JWK with a 'kid'; make one with `tresor keys generate`") from None
        return cls(kid, text)

    def sign(self, body: bytes) -> str:
        """The detached JWS over `body`."""
        header, _, signature = jws.serialize_compact(self._header, body, self._key, registry=_REGISTRY).split(".")
        return f"{header}..{signature}"


class Keyring:
    """Verifies; holds public keys only. A file that changes is read again."""

    def __init__(self, keys: tuple[PublicKey, ...], path: Path | None = None) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._take(keys)

    @classmethod
    def load(cls, path: Path) -> "Keyring":
        """The ring in the file at `path`. Raises Configuration when it can't be read or is none."""
        ring = cls((), path)
        ring._refresh()
        return ring

    def _take(self, keys: tuple[PublicKey, ...]) -> None:
        self.keys = {key.kid: key for key in keys}
        if len(self.keys) != len(keys):
            raise Configuration("the keyring names a kid twice")
        self._public = {
            kid: OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": key.public}) for kid, key in self.keys.items()
        }

    def refresh(self) -> None:
        """Read the file again if it has changed, so that a revocation works without a restart.

        A file that has become unreadable leaves the ring as it was, with an error in the log.
        """
        try:
            self._refresh()
        except Configuration as error:
            logger().error("keyring.unreadable", error=str(error))

    def _refresh(self) -> None:
        if self._path is None:
            return
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp == self._stamp:
                return
            if status.st_size > MAX_KEYRING_BYTES:
                raise Configuration(f"the keyring {self._path} is larger than {MAX_KEYRING_BYTES} octets")
            file = KeyringFile.model_validate_json(self._path.read_bytes())
        except OSError as error:
            raise Configuration(f"the keyring {self._path} can't be read: {error.strerror}") from None
        except ValidationError as error:
            raise Configuration(f"the keyring {self._path} is malformed: {error.errors()[0]['msg']}") from None
        self._take(file.keys)
        self._stamp = stamp

    def verify(self, body: bytes, signature: str | None, now: datetime) -> PublicKey:
        """The key that signed exactly `body`, if it is good at `now`. Raises Untrusted otherwise."""
        if not signature:
            raise Untrusted("unsigned", "no signature came with it")
        header, dot, rest = signature[:MAX_SIGNATURE_CHARACTERS].partition("..")
        kid = _kid(header)
        if not dot or len(signature) > MAX_SIGNATURE_CHARACTERS or kid is None:
            raise Untrusted("bad-signature", "the signature is no detached JWS with a kid")
        key = self.keys.get(kid)
        if key is None:
            raise Untrusted("unknown-key", f"no key '{kid}' in the keyring", kid)
        payload = base64.urlsafe_b64encode(body).rstrip(b"=").decode()
        try:
            jws.deserialize_compact(f"{header}.{payload}.{rest}", self._public[kid], registry=_REGISTRY)
        except (JoseError, ValueError):
            raise Untrusted("bad-signature", "the signature does not fit the bytes", kid) from None
        if key.revoked_at is not None and key.revoked_at <= now:
            raise Untrusted("revoked-key", f"key '{kid}' is revoked since {key.revoked_at.isoformat()}", kid)
        if not key.not_before <= now <= key.not_after:
            raise Untrusted("revoked-key", f"key '{kid}' is good from {key.not_before} to {key.not_after} only", kid)
        return key


def _kid(header: str) -> str | None:
    try:
        fields = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
        return str(fields["kid"]) if set(fields) == {"alg", "kid"} and fields["alg"] == ALGORITHM else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def generate(kid: str) -> tuple[str, str]:
    """A new key pair: the private JWK as text, and the public `x` for the keyring."""
    key = OKPKey.generate_key("Ed25519")
    fields = key.as_dict(private=True)
    return json.dumps({**fields, "kid": kid}), str(fields["x"])


def write_private(path: Path, jwk: str) -> None:
    """Put a private key where only its owner reads it. Raises FileExistsError rather than overwrite one."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(jwk)


def write_keyring(path: Path, keys: tuple[PublicKey, ...]) -> None:
    """Replace the ring's file in one step, so that no reader sees half of it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(KeyringFile(keys=keys).model_dump_json(indent=2))
    beside.replace(path)

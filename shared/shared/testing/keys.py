"""Keys of a deployment under test."""

from datetime import timedelta
from pathlib import Path

from contracts.envelope import Role
from contracts.services import SERVICES
from shared.clock import Clock
from shared.signing import PublicKey, Signer, generate, write_keyring, write_private


class Keys:
    """Keys of the five services and of three people, in a folder, with their keyring."""

    PEOPLE = {
        "ana": frozenset({Role.OPERATOR}),
        "sam": frozenset({Role.SECURITY_OFFICER}),
        "ada": frozenset({Role.AUDITOR}),
    }

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self.keyring_path = folder / "keyring.json"
        self._clock = clock
        self.keys: dict[str, PublicKey] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for service in SERVICES:
            self.add(service, frozenset({Role.SERVICE}))
        for person, roles in self.PEOPLE.items():
            self.add(person, roles)

    def add(self, holder: str, roles: frozenset[Role], workspaces: tuple[str, ...] = ("*",), days: int = 1) -> None:
        """A new key for `holder`, in the ring."""
        jwk, public = generate(holder)
        path = self.folder / f"{holder}.jwk"
        path.unlink(missing_ok=True)
        write_private(path, jwk)
        now = self._clock.now()
        self.keys[holder] = PublicKey(
            kid=holder, holder=holder, roles=roles, workspaces=workspaces, public=public,
            not_before=now - timedelta(hours=1), not_after=now + timedelta(days=days),
        )  # fmt: skip
        write_keyring(self.keyring_path, tuple(self.keys.values()))

    def path(self, holder: str) -> Path:
        """The private key's file."""
        return self.folder / f"{holder}.jwk"

    def signer(self, holder: str) -> Signer:
        """Signs as `holder`."""
        return Signer.load(self.path(holder))

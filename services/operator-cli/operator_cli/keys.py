"""`tresor keys`: who may say what. Private keys stay in files that only their owner reads, and are never shown."""

import fcntl
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from operator_cli.exits import Exit, Stop
from operator_cli.options import Output, Yes
from operator_cli.printing import Form, coloured, emit, say, table

if TYPE_CHECKING:
    from shared.signing import PublicKey

app = typer.Typer(no_args_is_help=True, help="Keys: generate, list, show, add, revoke.")

ROLES = ("operator", "security-officer", "auditor", "service", "scheduler")
MAX_ENTRY_BYTES = 64 * 1024

Ring = Annotated[
    Path | None, typer.Option("--keyring", help="The keyring's file (setting keyring_path).", dir_okay=False)
]
Kid = Annotated[str, typer.Argument(help="The key's id, such as ana-2026.")]


@app.command()
def generate(
    kid: Kid,
    holder: Annotated[str, typer.Option("--holder", help="Whose it is: an address, or a service's name.")],
    role: Annotated[list[str] | None, typer.Option("--role", help=f"One of {', '.join(ROLES)}; repeatable.")] = None,
    workspace: Annotated[
        list[str] | None,
        typer.Option("--workspace", help="Pattern of workspaces that it may command: `genome-*`; repeatable."),
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How long it is good.")] = 365,
    private: Annotated[
        Path | None, typer.Option("--private", help="Where the private key goes; ~/.config/tresor/KID.jwk.")
    ] = None,
    keyring: Annotated[
        Path | None, typer.Option("--keyring", help="Add the public key to this keyring as well.", dir_okay=False)
    ] = None,
    output: Output = Form.JSON,
) -> None:
    """Make an Ed25519 key. The private half goes to a file of mode 0600; the public half is printed, to be added."""
    from datetime import timedelta

    from pydantic import ValidationError

    from shared.clock import SystemClock
    from shared.signing import PublicKey, write_private
    from shared.signing import generate as generate_pair

    roles = _roles(role or ["operator"])
    path = private or _own_folder() / f"{kid.replace('/', '_')}.jwk"
    jwk, public = generate_pair(kid)
    now = SystemClock().now()
    try:
        entry = PublicKey(
            kid=kid,
            holder=holder,
            roles=roles,
            workspaces=tuple(workspace or ["*"]),
            public=public,
            not_before=now,
            not_after=now + timedelta(days=days),
        )
    except ValidationError as error:
        raise _malformed(error) from None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, jwk)
    except FileExistsError:
        raise Stop(
            Exit.USAGE, f"{path} is there already and is not overwritten", "name another file: --private"
        ) from None
    except OSError as error:
        raise Stop(Exit.USAGE, f"{path} can't be written: {error.strerror}") from None
    say(f"the private key is in {path}; set TRESOR_SIGNING_KEY_PATH={path}")
    if keyring is not None:
        _change(keyring, lambda keys: _with(keys, entry))
        say(f"the public key is in {keyring}")
    else:
        say("have what is printed added to the services' keyring: tresor keys add FILE --keyring KEYRING")
    _print(entry, Form.JSON if output is Form.TABLE else output)


@app.command("list")
def list_(keyring: Ring = None, output: Output = Form.TABLE) -> None:
    """Every key of the keyring: whose, what for, until when."""
    from shared.clock import SystemClock

    keys = _read(_ring_path(keyring))
    now = SystemClock().now()
    if output is not Form.TABLE:
        emit(output, [{**key.model_dump(mode="json"), "state": _state(key, now)[0]} for key in keys])
        return
    rows = [
        (
            key.kid,
            key.holder,
            ", ".join(sorted(key.roles)),
            ", ".join(key.workspaces),
            f"{key.not_after:%Y-%m-%d}",
            coloured(*_state(key, now)),
        )
        for key in sorted(keys, key=lambda one: one.kid)
    ]
    table(("kid", "holder", "roles", "workspaces", "until", "state"), rows, empty="The keyring is empty.")


@app.command()
def show(kid: Kid, keyring: Ring = None, output: Output = Form.YAML) -> None:
    """One public key. Exit code 1 when the keyring has none of that id."""
    for key in _read(_ring_path(keyring)):
        if key.kid == kid:
            _print(key, Form.YAML if output is Form.TABLE else output)
            return
    raise Stop(Exit.NEGATIVE, f"the keyring has no key '{kid}'", "`tresor keys list` shows those there are")


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="What `tresor keys generate` printed; `-` reads standard input.")],
    keyring: Ring = None,
) -> None:
    """Add a public key to the keyring. The services read the changed file by themselves."""
    from pydantic import ValidationError

    from shared.signing import PublicKey

    try:
        if str(file) == "-":
            text = sys.stdin.read(MAX_ENTRY_BYTES + 1)
        else:
            with file.open() as source:
                text = source.read(MAX_ENTRY_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(Exit.USAGE, f"{file} can't be read: {error}") from None
    if len(text) > MAX_ENTRY_BYTES:
        raise Stop(Exit.USAGE, f"{file} is no public key: it is larger than {MAX_ENTRY_BYTES // 1024} KiB")
    if '"d"' in text:
        raise Stop(Exit.USAGE, f"{file} holds a private key; it belongs to its owner alone", "give the public entry")
    try:
        entry = PublicKey.model_validate_json(text)
    except ValidationError as error:
        raise _malformed(error) from None
    path = _ring_path(keyring, may_be_new=True)
    _change(path, lambda keys: _with(keys, entry))
    say(f"{entry.kid} of {entry.holder} is in {path}")


@app.command()
def revoke(kid: Kid, keyring: Ring = None, yes: Yes = False) -> None:
    """Make a key good for nothing from this moment on. It stays in the keyring, so that the past can be verified."""
    from operator_cli.workspaces import confirm
    from shared.clock import SystemClock

    path = _ring_path(keyring)
    if not yes:
        confirm(f"Revoke key '{kid}' in {path}?", kid)
    now = SystemClock().now()

    def revoked(keys: "tuple[PublicKey, ...]") -> "tuple[PublicKey, ...]":
        if kid not in {key.kid for key in keys}:
            raise Stop(Exit.NEGATIVE, f"the keyring has no key '{kid}'", "`tresor keys list` shows those there are")
        return tuple(
            key.model_copy(update={"revoked_at": key.revoked_at or now}) if key.kid == kid else key for key in keys
        )

    _change(path, revoked)
    say(f"{kid} is revoked; every service that reads {path} refuses it from its next message on")


def _roles(names: list[str]) -> frozenset[Any]:
    from contracts.envelope import Role

    if wrong := [name for name in names if name not in ROLES]:
        raise Stop(Exit.USAGE, f"there is no role '{wrong[0]}'", f"use one of: {', '.join(ROLES)}")
    return frozenset(Role(name) for name in names)


def _own_folder() -> Path:
    from operator_cli.settings import config_path

    return config_path().parent


def _ring_path(given: Path | None, *, may_be_new: bool = False) -> Path:
    from operator_cli.settings import load

    path = given or load().keyring_path
    if path is None:
        raise Stop(Exit.USAGE, "no keyring is named", "give --keyring FILE, or set TRESOR_KEYRING_PATH")
    if not path.exists() and not may_be_new:
        raise Stop(Exit.USAGE, f"there is no keyring {path}", "`tresor keys add FILE --keyring KEYRING` begins one")
    return path


def _read(path: Path) -> "tuple[PublicKey, ...]":
    from shared.errors import Configuration
    from shared.signing import Keyring

    try:
        return tuple(Keyring.load(path).keys.values())
    except Configuration as error:
        raise Stop(Exit.USAGE, str(error)) from None


def _change(path: Path, change: Any) -> None:
    """Replace the keyring's keys by what `change` makes of them; one changer at a time."""
    from shared.signing import write_keyring

    try:
        with _alone(path):
            write_keyring(path, change(_read(path) if path.exists() else ()))
    except OSError as error:
        raise Stop(Exit.USAGE, f"{path} can't be changed: {error.strerror}") from None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _with(keys: "tuple[PublicKey, ...]", entry: "PublicKey") -> "tuple[PublicKey, ...]":
    for key in keys:
        if key.kid == entry.kid:
            if key == entry:
                return keys
            raise Stop(
                Exit.USAGE, f"the keyring has another key '{entry.kid}'", "a key id is given once; choose another"
            )
    return (*keys, entry)


def _state(key: "PublicKey", now: Any) -> tuple[str, bool]:
    if key.revoked_at is not None and key.revoked_at <= now:
        return "revoked", False
    if now > key.not_after:
        return "expired", False
    return ("good", True) if now >= key.not_before else ("not yet good", False)


def _malformed(error: Any) -> Stop:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"]) or "the text"
    return Stop(Exit.USAGE, f"this is no public key: {name}: {first['msg']}")


def _print(entry: "PublicKey", form: Form) -> None:
    data = json.loads(entry.model_dump_json(exclude_none=True))
    data["roles"] = sorted(data["roles"])
    emit(form, data)

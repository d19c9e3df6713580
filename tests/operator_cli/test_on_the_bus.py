"""`tresor` against a service on the real chassis, broker and database: words, data and exit codes."""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from bootstrap.leases import BrokerLease
from contracts import provisioner
from contracts.envelope import Role
from contracts.examples import DOCUMENT
from shared.testing import Site
from tests.operator_cli.conftest import TRESOR, Tresor
from tests.operator_cli.provisioner_double import make_context, make_handlers
from tests.operator_cli.queues import given

Write = Callable[..., Path]
HUGE = [{**DOCUMENT["roles"][0], "flavor": "tre.huge"}, DOCUMENT["roles"][1]]


@pytest.fixture
async def served(site: Site) -> Site:
    await site.start(make_handlers(), make_context)
    return site


async def test_create_waits_until_applied_and_shows_each_step(
    served: Site, operator: Tresor, document_file: Write
) -> None:
    ended = await operator("workspace", "create", "-f", str(document_file()))
    assert ended.code == 0, ended.err
    for words in ("is accepted", "project made (1/3)", "networks made (2/3)", "workspace ready: 6 nodes", "is applied"):
        assert words in ended.err
    listed = await operator("workspace", "list", "-o", "json")
    assert [one["workspace"] for one in json.loads(listed.out)["workspaces"]] == ["openhpc"]
    shown = await operator("workspace", "show", "openhpc", "-o", "yaml")
    assert yaml.safe_load(shown.out)["summary"]["nodes_active"] == 6
    deleted = await operator("workspace", "delete", "openhpc", "--yes", "-o", "json")
    assert (deleted.code, json.loads(deleted.out)["state"]) == (0, "applied")
    gone = await operator("workspace", "show", "openhpc")
    assert gone.code == 1
    assert "there is no workspace 'openhpc'" in gone.err


async def test_a_rejection_names_the_line_of_the_file(served: Site, operator: Tresor, document_file: Write) -> None:
    path = document_file(roles=HUGE)
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "tre.huge" in text)
    for command in (("workspace", "create"), ("plan",)):
        ended = await operator(*command, "-f", str(path))
        assert ended.code == 3, ended.err
        assert f"{path}:{line}:" in ended.err
        assert "roles.0.flavor: no flavor 'tre.huge'" in ended.err
        assert "Traceback" not in ended.err
    ended = await operator("workspace", "create", "-f", str(path), "-o", "json")
    assert json.loads(ended.out)["problems"][0]["field"] == "document.roles.0.flavor"


async def test_a_failure_and_a_timeout_have_codes_of_their_own(
    served: Site, operator: Tresor, document_file: Write
) -> None:
    failed = await operator("workspace", "create", "-f", str(document_file(name="doomed")))
    assert (failed.code, "no valid host" in failed.err) == (4, True)
    late = await operator("workspace", "create", "-f", str(document_file(name="stuck")), "--timeout", "8")
    assert late.code == 5
    assert "is accepted, but not done within 8 s; it goes on" in late.err
    assert "tresor watch stuck" in late.err


async def test_no_wait_ends_when_accepted(served: Site, operator: Tresor, document_file: Write) -> None:
    ended = await operator("workspace", "create", "-f", str(document_file(name="stuck")), "--no-wait", "-o", "json")
    assert (ended.code, json.loads(ended.out)["state"]) == (0, "accepted")


async def test_a_plan_changes_nothing(served: Site, operator: Tresor, document_file: Write) -> None:
    ended = await operator("workspace", "plan", "-f", str(document_file()))
    assert ended.code == 0, ended.err
    assert "openhpc-login-0" in ended.out
    assert not served.tap.of(provisioner.CHASSIS.accepted)


async def test_who_may_not_is_told_so(
    served: Site, operator: Tresor, document_file: Write, broker: BrokerLease
) -> None:
    path = str(document_file())
    auditor = await operator("workspace", "create", "-f", path, TRESOR_SIGNING_KEY_PATH=str(served.keys.path("ada")))
    assert auditor.code == 6, auditor.err
    assert "wrong-role" in auditor.err
    served.keys.add("bob", frozenset({Role.OPERATOR}), workspaces=("other-*",))
    foreign = await operator("workspace", "create", "-f", path, TRESOR_SIGNING_KEY_PATH=str(served.keys.path("bob")))
    assert (foreign.code, "wrong-workspace" in foreign.err) == (6, True)
    asked = await operator("workspace", "show", "openhpc", TRESOR_SIGNING_KEY_PATH=str(served.keys.path("bob")))
    assert (asked.code, "not for openhpc" in asked.err) == (6, True)
    wrong = broker.url_of("operator").replace("operator:", "operator:wrong", 1)
    password = await operator("workspace", "list", TRESOR_AMQP_URL=wrong)
    assert (password.code, "refuses user 'operator'" in password.err) == (6, True)
    assert "wrong" not in password.err, "no password is ever shown"


async def test_what_a_workspace_waits_for_is_shown(served: Site, operator: Tresor, document_file: Write) -> None:
    await operator("workspace", "create", "-f", str(document_file(name="held")))
    for asked in (("workspace", "show", "held"), ("watch", "held", "--timeout", "8")):
        ended = await operator(*asked, COLUMNS="200")
        assert "port p-1 of project x is in group g-1" in ended.out, (asked, ended)
        assert "have it go" in ended.out


async def test_nobody_there_is_told_at_once(site: Site, operator: Tresor, document_file: Write) -> None:
    created = await operator("workspace", "create", "-f", str(document_file()))
    assert created.code == 5
    assert "provisioner never started at this broker" in created.err
    listed = await operator("workspace", "list")
    assert listed.code == 5
    closed = await operator("workspace", "list", TRESOR_AMQP_URL="amqp://operator:x@127.0.0.1:1/tresor")
    assert (closed.code, "127.0.0.1:1" in closed.err) == (5, True)


async def test_a_command_given_while_the_service_is_away_is_applied_when_it_comes(
    site: Site, operator: Tresor, document_file: Write, broker: BrokerLease
) -> None:
    service = await site.start(make_handlers(), make_context)
    await site.stop(service)
    creating = asyncio.create_task(operator("workspace", "create", "-f", str(document_file())))
    await given(broker, 2)
    await site.start(make_handlers(), make_context)
    ended = await creating
    assert ended.code == 0, ended.err
    assert len(site.tap.of(provisioner.WorkspaceReady)) == 1, "the same bytes twice are one command"


async def test_its_acceptance_is_shown_once_however_often_it_was_sent(
    site: Site, operator: Tresor, document_file: Write, broker: BrokerLease
) -> None:
    service = await site.start(make_handlers(), make_context)
    await site.stop(service)
    stuck = document_file(name="stuck")
    creating = asyncio.create_task(operator("workspace", "create", "-f", str(stuck), "--timeout", "25"))
    await given(broker, 2)
    await site.start(make_handlers(), make_context)
    ended = await creating
    assert ended.code == 5, ended.err
    assert len(site.tap.of(provisioner.CHASSIS.accepted)) > 1
    assert ended.err.count("of ana is accepted") == 1, ended.err


async def test_events_are_a_stream_of_cloudevents(served: Site, operator: Tresor) -> None:
    async def give() -> None:
        while True:
            await served.command(provisioner.DeleteWorkspace(workspace="nothing-there"))
            await asyncio.sleep(0.25)

    giving = asyncio.create_task(give())
    ended = await operator("events", "--follow", "-n", "2", "-o", "json", "--type", "provisioner.command.rejected")
    giving.cancel()
    events = [json.loads(line) for line in ended.out.splitlines()]
    assert [event["type"] for event in events] == ["provisioner.command.rejected"] * 2
    assert events[0]["specversion"] == "1.0"
    silent = await operator("events", "--seconds", "1", "--workspace", "elsewhere")
    assert silent.code == 1


async def test_forged_events_are_not_shown(served: Site, operator: Tresor, broker: BrokerLease) -> None:
    async def forge() -> None:
        ready = provisioner.WorkspaceReady(**provisioner.WorkspaceReady.example)
        while True:
            body = served.command_envelope(provisioner.DeleteWorkspace(workspace="openhpc"), "ana")
            fields = {**body.model_dump(mode="json"), "type": ready.type, "data": ready.model_dump(mode="json")}
            for name in ("audience", "notbefore", "expiresat", "executeby", "expectedgeneration"):
                fields.pop(name)
            forged = json.dumps(fields).encode()
            signature = served.keys.signer("ana").sign(forged)
            await served.publish("tresor.events", ready.type, forged, signature, "provisioner")
            await asyncio.sleep(0.1)

    forging = asyncio.create_task(forge())
    ended = await operator("events", "--seconds", "2")
    forging.cancel()
    assert ended.code == 1, ended.out
    assert "that no service had signed" in ended.err
    watched = await operator("watch", "openhpc", "--until-ready", "--timeout", "5")
    assert (watched.code, "there is no workspace 'openhpc' yet" in watched.out) == (5, True)


async def test_watch_follows_to_the_end(
    served: Site, operator: Tresor, broker: BrokerLease, tmp_path: Path, document_file: Write
) -> None:
    arguments = ("watch", "openhpc", "--until-ready", "--timeout", "20")
    watching = await saying(served, broker, tmp_path, "there is no workspace", *arguments)
    created = await operator("workspace", "create", "-f", str(document_file()))
    said, _ = await watching.communicate()
    assert (created.code, watching.returncode) == (0, 0), said
    assert b"networks made (2/3)" in said


async def test_the_broker_closing_every_connection_does_not_end_a_wait(
    served: Site, operator: Tresor, broker: BrokerLease, document_file: Write
) -> None:
    creating = asyncio.create_task(
        operator("workspace", "create", "-f", str(document_file(name="stuck")), "--timeout", "25")
    )
    await served.tap.until(provisioner.CHASSIS.accepted)
    for _ in range(20):  # the management API shows a connection only after some seconds
        if await broker.close_connections("operator"):
            break
        await asyncio.sleep(0.5)
    ended = await creating
    assert "the connection was lost" in ended.err, ended.err
    assert ended.code == 5


async def test_a_command_too_large_is_not_sent(served: Site, operator: Tresor, document_file: Write) -> None:
    roles = [{**DOCUMENT["roles"][0], "name": f"role-{n}", "user_data": '"' * 16_000} for n in range(9)]
    path = document_file(roles=roles, flows=[], storage={})
    assert path.stat().st_size < 200 * 1024
    ended = await operator("workspace", "create", "-f", str(path))
    assert (ended.code, "octets; the services take" in ended.err) == (2, True), ended.err
    assert not served.tap.events


async def test_ctrl_c_ends_without_a_traceback(served: Site, broker: BrokerLease, tmp_path: Path) -> None:
    code, said = await interrupted(served, broker, tmp_path, "there is no workspace", "watch", "openhpc")
    assert code == 130
    assert "Traceback" not in said


async def test_ctrl_c_says_what_becomes_of_the_command(
    served: Site, broker: BrokerLease, tmp_path: Path, document_file: Write
) -> None:
    path = str(document_file(name="stuck"))
    code, said = await interrupted(
        served, broker, tmp_path, "networks made (2/3)", "workspace", "create", "-f", path, "--timeout", "60"
    )
    assert code == 130
    assert "provisioner.workspace.create stuck is accepted and goes on" in said
    assert "tresor watch stuck" in said
    assert "Traceback" not in said


async def interrupted(
    served: Site, broker: BrokerLease, tmp_path: Path, once: str, *arguments: str
) -> tuple[int | None, str]:
    """The exit code, and what was said from then on, of a command that gets an interrupt once it has said something."""
    process = await saying(served, broker, tmp_path, once, *arguments)
    async with asyncio.timeout(60):
        process.send_signal(signal.SIGINT)
        said, _ = await process.communicate()
    return process.returncode, said.decode()


async def saying(
    served: Site, broker: BrokerLease, tmp_path: Path, once: str, *arguments: str
) -> asyncio.subprocess.Process:
    """A command that runs, once it has said something."""
    environment = {
        **os.environ,
        "TRESOR_AMQP_URL": broker.url_of("operator"),
        "TRESOR_SIGNING_KEY_PATH": str(served.keys.path("ana")),
        "TRESOR_KEYRING_PATH": str(served.keys.keyring_path),
    }
    # A run that was begun in the background hands its children an interrupt that is ignored.
    process = await asyncio.create_subprocess_exec(
        "env", "--default-signal=INT", str(TRESOR), *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(60):
        said = b""
        while once.encode() not in said:
            line = await process.stdout.readline()
            assert line, f"it ended without saying {once!r}: {said.decode()}"
            said += line
    return process


async def test_a_reader_that_goes_away_is_no_error(served: Site, broker: BrokerLease, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "TRESOR_AMQP_URL": broker.url_of("operator"),
        "TRESOR_SIGNING_KEY_PATH": str(served.keys.path("ana")),
        "TRESOR_KEYRING_PATH": str(served.keys.keyring_path),
    }

    async def give() -> None:
        while True:
            await served.command(provisioner.DeleteWorkspace(workspace="nothing-there"))
            await asyncio.sleep(0.3)

    giving = asyncio.create_task(give())
    process = await asyncio.create_subprocess_shell(
        f"set -o pipefail; {TRESOR} events --follow -o json | head -1",
        executable="/bin/bash", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment,
    )  # fmt: skip
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    giving.cancel()
    assert (process.returncode, len(out.splitlines()), err.decode()) == (0, 1, "")

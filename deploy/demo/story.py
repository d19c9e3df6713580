"""What the demo shows: a workspace made from a signed command, its verdict, and an opening found and closed."""

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bootstrap.console import Console
from contracts.network_policy import (
    DriftDetected,
    DriftRepaired,
    IsolationProven,
    IsolationShown,
    IsolationViolated,
    ShowIsolation,
)
from contracts.provisioner import CreateWorkspace, DeleteWorkspace
from contracts.security_monitor import AuditHead, FindingList, FindingRaised, ListFindings, ShowAudit
from contracts.site import Site
from contracts.workspace import Workspace
from demo.estate import OPERATOR, Estate
from demo.intruder_cloud import Intruder
from operator_cli import isolation
from operator_cli.board import Board
from operator_cli.commands import command
from operator_cli.sentences import seconds as in_words
from operator_cli.session import Session, opened
from shared.client import Gap

if TYPE_CHECKING:
    from contracts.envelope import Message

CREATE_SECONDS = 600.0
"""A real control plane beside everything else on two cores needs minutes for six servers."""
DELETE_SECONDS = 240.0
REPAIR_SECONDS = 120.0
AFTERWARDS_SECONDS = 15.0
"""How long the events about a closed opening, and the SIEM's lines about them, may take."""
DETECTION_FINDING = 2004
"""OCSF's class of a finding."""


class Disappointed(Exception):
    """The demo did not show what it is there to show."""


@dataclass
class Repair:
    """How an opening was found and closed."""

    seconds: float
    """From the API call's return to the rule being gone."""
    told_seconds: float | None
    """network-policy's own figure, from OpenStack's notification on."""
    findings: list[str]


class Story:
    """One run of it."""

    def __init__(self, estate: Estate, console: Console, document: Workspace, site: Site) -> None:
        self._site = site
        self._estate = estate
        self._console = console
        self._document = document
        self.is_created = False
        """Whether something of the workspace may be in the cloud."""

    @property
    def name(self) -> str:
        """The workspace's."""
        return self._document.name

    async def create(self) -> None:
        """Publish the signed command and show each service until the workspace is ready and proven."""
        name = self._document.name
        self._console.step(f"{OPERATOR} signs and publishes provisioner.workspace.create for '{name}'")
        self.is_created = True
        async with opened(self._estate.operator_settings()) as session:
            outcome = await command(
                session, CreateWorkspace(document=self._document), wait=True, timeout_seconds=CREATE_SECONDS, show=True
            )
        if outcome.state != "applied":
            reasons = "; ".join(f"{one.field} {one.reason}".strip() for one in outcome.problems)
            raise Disappointed(f"the command is {outcome.state}: {reasons}")

    async def verdict(self, *, detailed: bool) -> IsolationShown:
        """Ask network-policy, and show it. Raises Disappointed unless it is isolated."""
        async with opened(self._estate.operator_settings()) as session:
            answer = await session.ask(ShowIsolation(of=self._document.name), IsolationShown)
        isolation.show(answer, detailed=detailed, names=isolation.prefix_names(self._site))
        verdicts = [one.verdict for one in answer.workspaces]
        if verdicts != ["isolated"]:
            raise Disappointed(f"the verdict is {', '.join(verdicts) or 'missing'}, not 'isolated'")
        return answer

    async def break_in(self) -> Repair:
        """Open SSH to the world behind Tresor's back; show the finding and the repair. Raises Disappointed."""
        assert self._estate.cloud is not None
        intruder = await asyncio.to_thread(Intruder, self._estate.cloud.clouds_path, "lab")
        roles = [role.name for role in self._document.roles]
        group_name = f"tresor-{self._document.name}-{'login' if 'login' in roles else roles[0]}"
        async with opened(self._estate.operator_settings()) as session:
            await session.client.hear("network-policy.#", "security-monitor.#")
            heard: list[Message] = []
            listening = asyncio.create_task(self._listen(session, heard))
            try:
                rogue = await asyncio.to_thread(intruder.open_ssh, group_name)
                self._console.step(
                    f"somebody with the administrator's password opens tcp/22 from 0.0.0.0/0 in {rogue.group_name}"
                )
                gone = await asyncio.to_thread(intruder.seconds_until_gone, rogue, REPAIR_SECONDS)
                if gone is None:
                    await asyncio.to_thread(intruder.close_ssh, rogue)
                    raise Disappointed(f"the rule still stood after {REPAIR_SECONDS:.0f} s")
                await self._until_told(heard)
            finally:
                listening.cancel()
            repaired = [one for one in heard if isinstance(one, DriftRepaired)]
            drift = [one for one in heard if isinstance(one, DriftDetected)]
            listed = await session.ask(ListFindings(of=self._document.name, resolved=True), FindingList)
        if not drift or not repaired:
            raise Disappointed("the rule is gone, but no drift and repair were told")
        return Repair(
            gone, repaired[0].seconds_since_change, [f"{one.severity}: {one.title}" for one in listed.findings]
        )

    async def _listen(self, session: Session, heard: "list[Message]") -> None:
        with Board("the break-in", session.clock.now(), services=("network-policy", "security-monitor")) as board:
            async for said in session.messages():
                if isinstance(said, Gap):
                    continue
                envelope, message = said[0].envelope, said[1]
                if envelope.subject == self._document.name:
                    heard.append(message)
                    board.hear(message, envelope.time)

    async def _until_told(self, heard: "list[Message]") -> None:
        """Wait for the events about it: found, repaired, proven again, and the security officer's finding."""
        deadline = time.monotonic() + AFTERWARDS_SECONDS
        wanted = [(DriftDetected,), (DriftRepaired,), (FindingRaised,)]
        while time.monotonic() < deadline:
            violated = any(isinstance(one, IsolationViolated) for one in heard)
            proven = any(isinstance(one, IsolationProven) for one in heard)
            if all(any(isinstance(one, kinds) for one in heard) for kinds in wanted) and (proven or not violated):
                return
            await asyncio.sleep(0.1)

    async def delete(self) -> None:
        """Remove the workspace, where the cloud outlives the demo."""
        self._console.step(f"removing '{self._document.name}' again: this cloud stays")
        async with opened(self._estate.operator_settings()) as session:
            outcome = await command(
                session,
                DeleteWorkspace(workspace=self._document.name),
                wait=True,
                timeout_seconds=DELETE_SECONDS,
                show=True,
            )
        if outcome.state != "applied":
            raise Disappointed(f"the delete is {outcome.state}")
        self.is_created = False

    async def audit(self) -> None:
        """Have the audit chain verified from its first row. Raises Disappointed when it does not hold."""
        async with opened(self._estate.operator_settings()) as session:
            head = await session.ask(ShowAudit(verify=True), AuditHead, 60.0)
        if not head.verified:
            raise Disappointed("the audit chain does not verify")
        self._console.step(f"audit log: {head.rows} rows, the hash chain verified from its first row")

    async def siem(self, path: Path) -> None:
        """Wait until the SIEM's file holds the finding. Raises Disappointed when it does not come."""
        deadline = time.monotonic() + AFTERWARDS_SECONDS
        while True:
            whole = await asyncio.to_thread(_whole_lines, path)
            if any(json.loads(line)["class_uid"] == DETECTION_FINDING for line in whole):
                self._console.step(f"SIEM: {len(whole)} events, the finding among them")
                return
            if time.monotonic() > deadline:
                raise Disappointed(f"{path} holds no finding after {AFTERWARDS_SECONDS:.0f} s")
            await asyncio.sleep(0.1)

    def tell(self, repair: Repair) -> None:
        """The figures."""
        own = (
            f"; network-policy's own figure, from OpenStack's notification on: {in_words(repair.told_seconds)}"
            if repair.told_seconds is not None
            else "; found by the scan, as no notification told of it"
        )
        self._console.step(f"SSH to the world stood open for {in_words(repair.seconds)}{own}")
        for finding in repair.findings:
            self._console.step(f"finding, {finding}")


def _whole_lines(path: Path) -> list[str]:
    """What is written to the end of a line; nothing while there is no file."""
    text = path.read_text() if path.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines()

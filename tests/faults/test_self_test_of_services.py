"""The same for rules that live in the services: a check that holds, and fails on the bug that it is there for."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import contracts.audit
from contracts.audit import OPENSTACK, Entry, Head, verify
from network_policy.cloud import listing
from security_monitor.domain.chain import extend
from security_monitor.handlers import siem
from security_monitor.handlers.notifications import entry_of
from security_monitor.store.siem_file import SiemFile
from shared.notifications import seal
from storage.domain.observed import Observed
from storage.domain.steps import CreateShare
from tests.network_policy import test_order
from tests.shared.recording import notification, wrapped
from tests.storage import test_plan
from tests.storage.samples import share, told

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Pages:
    """Neutron that answers with one good page, and fails at the second with a body that could be one."""

    def __init__(self) -> None:
        self.network = self
        self.asked = 0

    def get(self, path: str, params: Any) -> Any:
        self.asked += 1
        first = self.asked == 1
        href = "http://neutron/v2.0/ports?marker=p1"
        return _Answer(
            200 if first else 500,
            {"ports": [{"id": "p1"}], "ports_links": [{"rel": "next", "href": href}]} if first else {"ports": []},
        )


class _Answer:
    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status_code, self._body = status, body
        self.headers = {"content-type": "application/json"}
        self.url, self.text, self.reason = "http://neutron/v2.0/ports", "", ""

    def json(self) -> dict[str, Any]:
        return self._body


def a_short_list_is_no_list() -> None:
    """An empty page with an error deletes nothing (design: notifications are hints)."""
    pages: Any = Pages()
    try:
        found = listing.everything(pages, "/ports", "ports", lambda body: body["id"])
    except Exception:
        assert pages.asked == 2
        return
    raise AssertionError(f"taken for whole: {found}")


def _entries() -> list[Entry]:
    return [
        entry_of(seal(wrapped(notification("compute.instance.update", {"n": number}, message_id=f"m{number}"))))
        for number in range(4)
    ]


def an_edit_of_the_audit_log_is_found() -> None:
    """I12."""
    rows = extend(Head(OPENSTACK, 0, bytes(32)), _entries(), NOW)
    assert verify(rows) is None
    rows[2] = rows[2]._replace(entry=rows[2].entry._replace(body=b"{}"))
    assert verify(rows) is not None


def a_cut_of_the_audit_log_is_found() -> None:
    """I12: the head is known elsewhere."""
    rows = extend(Head(OPENSTACK, 0, bytes(32)), _entries(), NOW)
    head = Head(OPENSTACK, rows[-1].position, rows[-1].link)
    assert verify(rows[:-1], head) is not None


def what_vanished_is_not_made_anew() -> None:
    """An empty list is not taken for a place where nothing was."""
    made = test_plan.planned(Observed(), told(share(), *test_plan.HOME_TOLD))
    assert not [step for step in made.steps if isinstance(step, CreateShare)]


class StillDisk(SiemFile):
    """A disk that stands still for so long over everything that is written."""

    def __init__(self, seconds: float) -> None:
        super().__init__(Path("nowhere"))
        self.go_on = threading.Event()
        self._seconds = seconds

    def append(self, lines: Iterable[str]) -> None:
        self.go_on.wait(self._seconds)


def a_disk_that_stands_still_holds_nobody_up() -> None:
    """I16: the SIEM's file is written while everything else goes on."""

    async def write() -> float:
        disk = StillDisk(5.0)
        began = time.monotonic()
        writing = asyncio.create_task(siem._append(disk, ["a line"]))
        await asyncio.sleep(0.05)
        held_up_seconds = time.monotonic() - began
        disk.go_on.set()
        await writing
        return held_up_seconds

    assert asyncio.run(write()) < 4


def a_disk_that_does_not_answer_is_waited_for_so_long_and_no_longer() -> None:
    """I16: the log's other timers have their turn."""

    async def write() -> bool:
        disk = StillDisk(2.0)
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(siem, "WRITE_SECONDS", 0.1)
                await siem._append(disk, ["a line"])
        except TimeoutError:
            return True
        finally:
            disk.go_on.set()
        return False

    assert asyncio.run(write()), "it was waited for"


async def _at_once(disk: SiemFile, lines: list[str]) -> None:
    disk.append(lines)


async def _as_long_as_it_takes(disk: SiemFile, lines: list[str]) -> None:
    await asyncio.to_thread(disk.append, lines)


@dataclass(frozen=True)
class Bug:
    """`target` is replaced by `wrong`; `check` must fail with it."""

    name: str
    target: str
    wrong: Callable[..., Any]
    check: Callable[[], None]


def _link_without_the_body(previous: bytes, stream: str, position: int, recorded_at_us: int, entry: Entry) -> bytes:
    return _link_of(previous, stream, position, recorded_at_us, entry._replace(body=b""))


_link_of = contracts.audit.link_of
_verify = contracts.audit.verify
BUGS = (
    Bug("a failed page ends a list", "network_policy.cloud.listing.raise_from_response", lambda _: None,
        a_short_list_is_no_list),
    Bug("repairs before surplus rules", "tests.network_policy.test_order.safe_order",
        lambda repairs, steps: (*repairs, *steps), test_order.test_a_port_waits_for_a_group_that_neutron_filled),
    Bug("marks not looked up", "storage.domain.plan.same", lambda *_: [], test_plan.test_what_a_lost_response_made_is_adopted),
    Bug("what vanished made anew", "storage.domain.presence._may_create", lambda *_: True,
        what_vanished_is_not_made_anew),
    Bug("links without bodies", "contracts.audit.link_of", _link_without_the_body, an_edit_of_the_audit_log_is_found),
    Bug("the SIEM's file written at once", "security_monitor.handlers.siem._append", _at_once,
        a_disk_that_stands_still_holds_nobody_up),
    Bug("the SIEM's disk waited for", "security_monitor.handlers.siem._append", _as_long_as_it_takes,
        a_disk_that_does_not_answer_is_waited_for_so_long_and_no_longer),
    Bug("the head not compared", "tests.faults.test_self_test_of_services.verify",
        lambda rows, _=None: _verify(rows), a_cut_of_the_audit_log_is_found),
)  # fmt: skip


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_is_caught(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    bug.check()
    monkeypatch.setattr(bug.target, bug.wrong)
    with pytest.raises(AssertionError):
        bug.check()

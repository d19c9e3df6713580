"""What the steps share: connections, what was made so far, what is to be deleted."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import openstack
import openstack.exceptions

Answer = TypeVar("Answer")

Sdk: TypeAlias = Any
"""An openstacksdk Connection, whose own types join two identity versions and many an optional."""

PASSWORD = "workload-password"  # the recorder has to take it out, wherever it shows up
FOLDER = Path(__file__).resolve().parent.parent


def until(ask: Callable[[], Answer | None], timeout_seconds: float = 120.0) -> Answer:
    """Asks twice a second until the answer is true. Raises AssertionError."""
    deadline = time.monotonic() + timeout_seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {timeout_seconds:.0f} s"
        time.sleep(0.5)
    return answer


def service(action: str, name: str) -> None:
    """Does something to one process of the lab. Raises CalledProcessError."""
    subprocess.run([FOLDER / "svc.sh", action, name], check=True)


@dataclass
class Scene:
    """One run of the workload. `made` holds resources by a name that later steps know."""

    tag: str
    admin: Sdk
    system: Sdk
    made: dict[str, Any] = field(default_factory=dict)
    deletions: list[Callable[[], object]] = field(default_factory=list)

    @classmethod
    def begin(cls, tag: str) -> "Scene":
        """Connects as the lab's administrator."""
        return cls(tag, openstack.connect(cloud="lab"), openstack.connect(cloud="lab-system"))

    @property
    def member(self) -> Sdk:
        """The connection of the project's member, once the first step made it."""
        return self.made["member"]

    def name(self, what: str) -> str:
        """A name of this run."""
        return f"{what}-{self.tag}"

    def at_the_end(self, delete: Callable[..., object], *arguments: Any, **options: Any) -> None:
        """Remembers a deletion."""
        self.deletions.append(lambda: delete(*arguments, **options))

    def tear_down(self) -> None:
        """Deletes, last made first. Raises AssertionError that names every deletion that failed."""
        failed: list[str] = []
        for delete in reversed(self.deletions):
            try:
                delete()
            except (openstack.exceptions.SDKException, AssertionError) as error:
                failed.append(str(error)[:200])
        assert not failed, failed

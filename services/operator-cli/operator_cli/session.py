"""What every command that goes to the bus does: open a client as the operator, ask, command and wait for the end."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from contracts.catalog import MESSAGES
from contracts.envelope import MAX_BODY_BYTES, Answer, Command, Message, Problem, Query
from contracts.outcome import CommandAccepted, CommandFailed, CommandOutcome, CommandRejected, InputRefused
from contracts.security_monitor import ShowAudit
from operator_cli import interrupts
from operator_cli.exits import Exit, Stop
from operator_cli.printing import say
from operator_cli.settings import Settings, load
from shared.client import (
    REPEAT_SECONDS,
    Client,
    Declined,
    Gap,
    Heard,
    NobodyThere,
    NotPermitted,
    Signed,
    Unanswered,
    Unreachable,
    message_of,
    sign,
)
from shared.clock import Clock, Ids, SystemClock
from shared.errors import Configuration
from shared.signing import EVERYTHING, Coverage, Keyring, Signer

T = TypeVar("T")
A = TypeVar("A", bound=Answer)

DENIED = frozenset(
    {
        "unsigned", "unknown-key", "bad-signature", "revoked-key", "wrong-role", "wrong-workspace", "wrong-user",
    }
)  # fmt: skip
"""Refusals that are about who asks."""
UNDECIDED = ("accepted", "waiting", "approved")
"""Where a command stands before it ends."""
COMING_BACK_SECONDS = 10.0
COMING_BACK_PAUSE_SECONDS = 1.0
"""A service makes its queue again some seconds after its broker is back."""
_DOCTOR = "run `tresor doctor`"


@dataclass
class Session:
    """An operator on the bus."""

    client: Client
    signer: Signer
    holder: str
    settings: Settings
    clock: Clock = field(default_factory=SystemClock)
    ids: Ids = field(default_factory=Ids)
    coverage: Coverage = EVERYTHING
    """What the keyring says that the operator's key is for."""
    _is_bound_told: bool = False

    def sign(self, message: Command | Query, expected_generation: int | None = None) -> Signed:
        """The message as this operator says it. Raises Stop when it is larger than a service takes."""
        signed = sign(
            message,
            signer=self.signer,
            holder=self.holder,
            clock=self.clock,
            ids=self.ids,
            expected_generation=expected_generation,
        )
        if len(signed.body) > MAX_BODY_BYTES:
            raise Stop(
                Exit.USAGE,
                f"the command has {len(signed.body)} octets; the services take {MAX_BODY_BYTES} at most",
                "make the document smaller: `user_data` above all",
            )
        return signed

    async def ask(self, query: Query, answer: type[A], timeout_seconds: float | None = None) -> A:
        """The answer to a query."""
        self._tell_bounds(query)
        return await self.client.ask(self.sign(query), answer, timeout_seconds or self.settings.timeout_seconds)

    def _tell_bounds(self, query: Query) -> None:
        """Say once, of an answer about many workspaces, that it is as wide as the key."""
        is_list = query.aggregate == "site" and not isinstance(query, ShowAudit)
        if self.coverage.is_everything or not is_list or self._is_bound_told or "_TRESOR_COMPLETE" in os.environ:
            return
        self._is_bound_told = True
        say(f"your key is for {', '.join(self.coverage.patterns)}: what is of other workspaces is not shown")

    async def messages(self) -> AsyncIterator[tuple[Heard, Message] | Gap]:
        """Events as they come, each with its message; those of an unknown type are passed over."""
        async for heard in self.client.events():
            if isinstance(heard, Gap):
                yield heard
            elif (message := message_of(heard.envelope, MESSAGES)) is not None:
                yield heard, message


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run it, and turn what can go wrong into an end with a code and a sentence."""
    for name in ("aio_pika", "aiormq", "asyncio"):  # a lost connection is told in our own words
        logging.getLogger(name).setLevel(logging.CRITICAL)
    interrupts.let_work_end()
    try:
        return asyncio.run(work)
    except (Unreachable, NobodyThere) as error:
        raise Stop(Exit.UNREACHABLE, str(error), _DOCTOR) from None
    except Unanswered as error:
        raise Stop(
            Exit.UNREACHABLE, str(error), f"is the service running? {_DOCTOR}; or give it more --timeout"
        ) from None
    except NotPermitted as error:
        raise Stop(Exit.NOT_PERMITTED, str(error), "check the broker's user and password in TRESOR_AMQP_URL") from None
    except Declined as error:
        first = error.problems[0]
        # A complaint about a field is about what was asked; any other is about who asks.
        code = Exit.REJECTED if any(one.field for one in error.problems) else Exit.NOT_PERMITTED
        raise Stop(code, str(error), first.remedy) from None
    except Configuration as error:
        raise Stop(Exit.USAGE, str(error)) from None


@asynccontextmanager
async def opened(settings: Settings | None = None) -> AsyncIterator[Session]:
    """A session with the settings of this user. Raises Stop when one that is needed is missing."""
    settings = settings or load()
    if not settings.amqp_url:
        raise Stop(
            Exit.USAGE,
            "no broker is named",
            "set TRESOR_AMQP_URL=amqp://operator:PASSWORD@HOST:5672/tresor, or amqp_url in ~/.config/tresor/config.yaml",
        )
    if settings.signing_key_path is None:
        raise Stop(
            Exit.USAGE,
            "no key to sign with is named",
            "set TRESOR_SIGNING_KEY_PATH; `tresor keys generate` makes a key",
        )
    signer = Signer.load(settings.signing_key_path)
    keyring = Keyring.load(settings.keyring_path) if settings.keyring_path else None
    holder = _holder(settings, signer, keyring)
    clock, ids = SystemClock(), Ids()
    async with Client(settings.amqp_url, name="tresor.operator", clock=clock, ids=ids, keyring=keyring) as client:
        key = keyring.keys.get(signer.kid) if keyring is not None else None
        coverage = key.coverage if key is not None else EVERYTHING
        yield Session(client, signer, holder, settings, clock, ids, coverage)


def _holder(settings: Settings, signer: Signer, keyring: Keyring | None) -> str:
    if settings.holder:
        return settings.holder
    if keyring is not None and signer.kid in keyring.keys:
        return keyring.keys[signer.kid].holder
    if keyring is not None:
        raise Stop(
            Exit.USAGE,
            f"the keyring {settings.keyring_path} does not know your key '{signer.kid}'",
            "have its public half added with `tresor keys add`",
        )
    raise Stop(Exit.USAGE, "who you are is not known", "set TRESOR_KEYRING_PATH (best), or TRESOR_HOLDER")


@dataclass(frozen=True)
class Outcome:
    """How a command ended, or `accepted` when nobody waited for its end."""

    command_id: str
    state: str
    problems: tuple[Problem, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """For -o json and yaml."""
        return {
            "command_id": self.command_id,
            "state": self.state,
            "problems": [problem.model_dump() for problem in self.problems],
        }

    @property
    def exit(self) -> Exit:
        """The exit code of a command that ended so."""
        return {
            "rejected": Exit.REJECTED,
            "failed": Exit.FAILED,
            "refused": Exit.REJECTED,
            "denied": Exit.NOT_PERMITTED,
        }.get(self.state, Exit.OK)


def outcome_of(signed: Signed, message: Message) -> Outcome | None:
    """What a message says of the command; None when it is about something else."""
    if isinstance(message, CommandOutcome) and message.command_id == signed.id:
        state = message.type.rpartition(".")[2]
        problems = message.problems if isinstance(message, CommandRejected | CommandFailed) else ()
        return Outcome(signed.id, state, problems)
    if isinstance(message, InputRefused) and message.digest == signed.digest and message.reason != "replayed":
        state = "denied" if message.reason in DENIED else "refused"
        return Outcome(signed.id, state, (Problem(reason=f"{message.reason}: {message.detail}"),))
    return None


class Commanding:
    """Sends one command, again while nobody says that it is stored, and learns from what is heard how it ends."""

    def __init__(self, session: Session, signed: Signed) -> None:
        self._session = session
        self.signed = signed
        self.accepted = asyncio.Event()
        self.outcome: Outcome | None = None

    async def send(self) -> None:
        """Publish it, and the same bytes again until it is accepted or expires. Hear before calling this.

        Raises what keeps it from the broker at first; what has been taken once waits for a broker that is away.
        """
        await self._session.client.command(self.signed)
        while self._session.clock.now() < self.signed.expires_at:
            try:
                async with asyncio.timeout(REPEAT_SECONDS):
                    await self.accepted.wait()
                    return
            except TimeoutError:
                await self.repeat()

    def hear(self, message: Message) -> None:
        """Take note of what a message says about it."""
        said = outcome_of(self.signed, message)
        if said is not None:
            self.accepted.set()
            if said.state not in UNDECIDED:
                self.outcome = said

    def knows(self, message: CommandAccepted) -> bool:
        """Whether that this very command is accepted was heard before."""
        return self.accepted.is_set() and message.command_id == self.signed.id

    async def repeat(self) -> None:
        """Publish it once more, for a while also to a broker or a queue that comes back just now.

        The services tell the outcome of a command again when it comes again.
        """
        clock = self._session.clock
        begin = clock.monotonic_seconds()
        while clock.now() < self.signed.expires_at:
            with suppress(Unreachable, NobodyThere):
                await self._session.client.command(self.signed)
                return
            if clock.monotonic_seconds() - begin > COMING_BACK_SECONDS:
                return
            await clock.sleep(COMING_BACK_PAUSE_SECONDS)

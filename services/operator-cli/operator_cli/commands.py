"""Sending a command and following it to its end."""

import asyncio
from contextlib import nullcontext
from typing import Any

from contracts.envelope import Command, Message
from contracts.outcome import CommandAccepted, InputRefused
from operator_cli.board import Board
from operator_cli.exits import Exit, Stop
from operator_cli.printing import say
from operator_cli.session import Commanding, Outcome, Session
from shared.client import Gap, Heard


async def command(
    session: Session,
    message: Command,
    *,
    wait: bool,
    timeout_seconds: float,
    show: bool,
    expected_generation: int | None = None,
) -> Outcome:
    """Send it; with `wait` until it is applied, rejected or failed, else until it is accepted.

    Raises Stop when the time is up; the command itself goes on.
    """
    signed = session.sign(message, expected_generation)
    commanding = Commanding(session, signed)
    await session.client.hear("#" if show else f"{message.owner()}.command.*", f"{message.owner()}.input.refused")
    title = f"{message.type.partition('.')[2].replace('.', ' ')} {message.aggregate}"
    board = Board(title, session.clock.now(), stderr=True) if show else None
    sending = asyncio.create_task(commanding.send())
    try:
        async with asyncio.timeout(timeout_seconds):
            with board or nullcontext():
                return await _follow(session, commanding, sending, message.aggregate, wait, board)
    except TimeoutError:
        raise _out_of_time(commanding, message, timeout_seconds) from None
    except asyncio.CancelledError:  # Ctrl-C
        said = "is accepted" if commanding.accepted.is_set() else "may have been sent"
        say(f"tresor: interrupted; {message.type} {message.aggregate} {said} and goes on")
        say(f"  what to do: follow it: tresor watch {message.aggregate}")
        raise
    finally:
        sending.cancel()


async def _follow(
    session: Session,
    commanding: Commanding,
    sending: "asyncio.Task[None]",
    subject: str,
    wait: bool,
    board: Board | None,
) -> Outcome:
    heard = session.messages()
    while True:
        following = asyncio.ensure_future(anext(heard))
        waiting: set[asyncio.Future[Any]] = {following}
        if not sending.done():
            waiting.add(sending)
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if sending.done() and not following.done():
            sending.result()  # raises what went wrong
        said = await following
        if isinstance(said, Gap):
            await _bridge(session, commanding, said, board)
            continue
        _take(said, commanding, subject, board)
        if commanding.outcome is not None:
            return commanding.outcome
        if commanding.accepted.is_set() and not wait:
            return Outcome(commanding.signed.id, "accepted")


def _take(said: tuple[Heard, Message], commanding: Commanding, subject: str, board: Board | None) -> None:
    heard, message = said
    if isinstance(message, CommandAccepted) and commanding.knows(message):
        return  # told again for each time that it was sent, while the service was away
    commanding.hear(message)
    about = heard.envelope.subject == subject
    refused = isinstance(message, InputRefused) and message.digest == commanding.signed.digest
    if board is not None and (about or refused):
        board.hear(message, heard.envelope.time)


async def _bridge(session: Session, commanding: Commanding, gap: Gap, board: Board | None) -> None:
    text = f"the connection was lost at {gap.since:%H:%M:%S} UTC and is back; events of that time were not heard"
    if board is not None:
        board.note(text, session.clock.now())
    else:
        say(text)
    await commanding.repeat()


def _out_of_time(commanding: Commanding, message: Command, timeout_seconds: float) -> Stop:
    if commanding.accepted.is_set():
        return Stop(
            Exit.UNREACHABLE,
            f"{message.type} {message.aggregate} is accepted, but not done within {timeout_seconds:.0f} s; it goes on",
            f"follow it: `tresor watch {message.aggregate}`; a longer --timeout waits longer",
        )
    return Stop(
        Exit.UNREACHABLE,
        f"{message.owner()} did not say within {timeout_seconds:.0f} s that it has the command; "
        f"it may still take it until {commanding.signed.expires_at:%H:%M:%S} UTC",
        "is the service running? run `tresor doctor`",
    )

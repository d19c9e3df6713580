"""`tresor parked`: what services set aside or refused; look at it, have it handled again, or never."""

import base64
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contracts.services import SERVICES
from operator_cli.exits import Exit, Stop
from operator_cli.options import LongTimeout, Output, Timeout, Yes
from operator_cli.printing import Form, console, emit, say, table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from contracts.parked import ParkedMessage

DROP_SECONDS = 30.0
REPLAY_SECONDS = 2000.0
"""Longer than a command waits for its approval."""

app = typer.Typer(invoke_without_command=True, help="Messages that a service set aside or refused.")

Service = Annotated[str, typer.Argument(help="The service that set it aside.", autocompletion=lambda: list(SERVICES))]
MessageIds = Annotated[list[str], typer.Argument(help="The messages' ids, of one workspace.")]


@app.callback()
def parked(
    context: typer.Context,
    refused: Annotated[
        bool, typer.Option("--refused", help="Input that was refused, in place of what was parked.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit code 1 when there is any.")] = False,
    output: Output = Form.TABLE,
    timeout: Timeout = None,
) -> None:
    """The messages that services set aside after too many failures, oldest first."""
    if context.invoked_subcommand is not None:
        return
    from operator_cli.each_service import ask_each

    kind = "list_refused" if refused else "list_parked"
    asked = ask_each(lambda owner: getattr(owner.CHASSIS, kind)(), timeout)
    part = "inputs" if refused else "messages"
    found = [(name, one) for name, answer in asked.answers.items() for one in getattr(answer, part)]
    if output is not Form.TABLE:
        emit(
            output, {part: [{"service": name, **one.model_dump(mode="json", exclude_none=True)} for name, one in found]}
        )
    else:
        (_show_refused if refused else _show_parked)(found)
        for name, answer in asked.answers.items():
            if answer.truncated:
                say(f"{name} has more than these")
    asked.complain()
    if check and found:
        raise Stop(Exit.NEGATIVE, f"{len(found)} message(s) {'refused' if refused else 'parked'}")


@app.command("show")
def show(
    service: Service,
    message: Annotated[str, typer.Argument(help="A parked message's id, or the digest of refused input.")],
    output: Output = Form.TABLE,
    timeout: Timeout = None,
) -> None:
    """One message with its bytes; what they say was signed, and the text of refused input was not."""
    is_digest = message.startswith("sha256:")
    chassis = _owner(service).CHASSIS
    query = _made(chassis.list_refused, digest=message) if is_digest else _made(chassis.list_parked, message_id=message)
    answer = _ask(query, timeout)
    found = answer.inputs if is_digest else answer.messages
    if not found:
        raise Stop(Exit.NEGATIVE, f"{service} has no such message set aside", "`tresor parked` lists them")
    if output is not Form.TABLE:
        emit(output, {"service": service, **found[0].model_dump(mode="json", exclude_none=True)})
        return
    out = console()
    for name, value in found[0].model_dump(mode="json", exclude={"body_base64"}).items():
        out.print(f"{name.replace('_', ' ')}: {value}", markup=False)
    out.print(_readable(base64.b64decode(found[0].body_base64 or "")), markup=False)


@app.command("replay")
def replay(
    service: Service,
    message_ids: MessageIds,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until it is approved and begun, or only until accepted.")
    ] = False,
    output: Output = Form.TABLE,
    timeout: LongTimeout = REPLAY_SECONDS,
) -> None:
    """Have parked messages handled again, all or none. Another person has to approve it: `tresor approve`."""
    from operator_cli.giving import end, give

    found = _named(service, message_ids)
    outcome = give(_about("replay", service, found), wait, timeout, output)
    follow = f"it waits for another person, who runs: tresor approve {outcome.command_id}"
    end(outcome, output, found[0].subject, follow=follow)


@app.command("drop")
def drop(
    service: Service,
    message_ids: MessageIds,
    yes: Yes = False,
    output: Output = Form.TABLE,
    timeout: LongTimeout = DROP_SECONDS,
) -> None:
    """Have parked messages never handled, all or none."""
    from operator_cli.giving import end, give

    found = _named(service, message_ids)
    if not yes:
        from operator_cli.workspaces import confirm

        confirm(f"Never handle {', '.join(one.message_type for one in found)} of {found[0].subject}?", "drop")
    end(give(_about("drop", service, found), True, timeout, output), output, found[0].subject)


def _show_parked(found: "Sequence[tuple[str, Any]]") -> None:
    rows = [
        (
            name,
            one.message_type,
            one.subject,
            _age(one.received_at),
            f"{one.attempts}" + (f", replayed {one.replays} times" if one.replays else ""),
            one.error,
            one.message_id,
            one.digest[7:19] + "…",
        )
        for name, one in sorted(found, key=lambda each: each[1].received_at)
    ]
    columns = ("service", "message", "workspace", "age", "attempts", "error", "id", "digest")
    table(columns, rows, empty="Nothing is parked.")


def _show_refused(found: "Sequence[tuple[str, Any]]") -> None:
    rows = [
        (name, one.came_from, one.reason, one.detail, _age(one.first_at), one.times, one.digest)
        for name, one in sorted(found, key=lambda each: each[1].first_at, reverse=True)
    ]
    table(("service", "came from", "reason", "detail", "age", "times", "digest"), rows, empty="Nothing was refused.")


def _age(since: "datetime") -> str:
    from shared.clock import SystemClock

    seconds = max(0, int((SystemClock().now() - since).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _readable(body: bytes) -> str:
    """The bytes for a terminal: JSON indented, else with every octet that is not plain text escaped."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=True)
    except (ValueError, RecursionError):
        return body.decode("ascii", "backslashreplace").encode("unicode_escape").decode("ascii")


def _owner(service: str) -> Any:
    from contracts.catalog import OWNERS

    for owner in OWNERS:
        if service == owner.OWNER:
            return owner
    raise Stop(Exit.USAGE, f"there is no service '{service}'", f"use one of: {', '.join(SERVICES)}")


def _made(kind: Any, **values: Any) -> Any:
    from pydantic import ValidationError

    try:
        return kind(**values)
    except ValidationError:
        word = next(iter(values.values()))
        raise Stop(Exit.USAGE, f"'{word}' is no message's id and no digest", "`tresor parked` lists them") from None


def _ask(query: Any, timeout: float | None) -> Any:
    from operator_cli.session import opened, run

    async def asking() -> Any:
        async with opened() as session:
            return await session.ask(query, query.answer, timeout)

    return run(asking())


def _named(service: str, message_ids: list[str]) -> "list[ParkedMessage]":
    """The parked messages of those ids. Raises Stop when one is not parked, or they are of several workspaces."""
    chassis = _owner(service).CHASSIS
    found = []
    for message_id in dict.fromkeys(message_ids):
        answer = _ask(_made(chassis.list_parked, message_id=message_id), None)
        if not answer.messages:
            raise Stop(Exit.NEGATIVE, f"{service} has no message {message_id} parked", "`tresor parked` lists them")
        found.append(answer.messages[0])
    subjects = sorted({one.subject for one in found})
    if len(subjects) > 1:
        raise Stop(
            Exit.USAGE, f"these are of several workspaces: {', '.join(subjects)}", "give one command for each of them"
        )
    return found


def _about(name: str, service: str, found: "list[ParkedMessage]") -> Any:
    from contracts.parked import MAX_AT_ONCE, SetAside

    if len(found) > MAX_AT_ONCE:
        raise Stop(Exit.USAGE, f"{len(found)} messages; at most {MAX_AT_ONCE} are taken at once")
    messages = tuple(SetAside(message_id=one.message_id, digest=one.digest) for one in found)
    return getattr(_owner(service).CHASSIS, name)(workspace=found[0].subject, messages=messages)

"""`tresor approvals`, `approve`, `deny`: what waits for a second person, and that person's word on it."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from operator_cli.exits import Exit, Stop
from operator_cli.options import Output, Timeout, Yes
from operator_cli.printing import Form, console, emit, say, table

if TYPE_CHECKING:
    from contracts.approvals import WaitingCommand
    from operator_cli.each_service import Asked

JUDGE_SECONDS = 30.0
CommandId = Annotated[str, typer.Argument(help="The waiting command's id.")]


def approvals(output: Output = Form.TABLE, timeout: Timeout = None) -> None:
    """The commands that wait for another person's approval."""
    found, asked = _waiting(None, timeout)
    if output is Form.TABLE:
        _show(found)
    else:
        emit(output, {"commands": [one.model_dump(mode="json") for one in found]})
    asked.complain()


def _show(found: "list[WaitingCommand]") -> None:
    rows = [
        (
            one.command_id,
            one.command_type,
            one.subject,
            one.holder,
            f"{len(one.approved_by)}/{one.approvals}",
            f"{one.waits_until:%H:%M:%S} UTC",
        )
        for one in found
    ]
    columns = ("command", "type", "workspace", "asked by", "approved", "waits until")
    table(columns, rows, empty="Nothing waits for approval.")


def approve(command_id: CommandId, yes: Yes = False, output: Output = Form.TABLE, timeout: Timeout = None) -> None:
    """Approve a command of somebody else, exactly as it is shown."""
    one = _read(command_id, timeout)
    if not yes:
        from operator_cli.workspaces import confirm

        confirm(f"Approve this command of {one.holder}?", "approve")
    _judge(one, "approve", output, {}, timeout)


def deny(
    command_id: CommandId,
    reason: Annotated[str, typer.Option("--reason", help="Why; its requester reads it.")] = "",
    output: Output = Form.TABLE,
    timeout: Timeout = None,
) -> None:
    """End a waiting command: withdraw your own, or deny another's."""
    _judge(_read(command_id, timeout), "deny", output, {"reason": reason}, timeout)


def _waiting(command_id: str | None, timeout: float | None) -> "tuple[list[WaitingCommand], Asked]":
    """What waits at all services, soonest to end first, and who was asked for it."""
    from pydantic import ValidationError

    from operator_cli.each_service import ask_each

    try:
        asked = ask_each(lambda owner: owner.CHASSIS.list_approvals(command_id=command_id), timeout)
    except ValidationError:
        raise Stop(Exit.USAGE, f"'{command_id}' is no command's id", "`tresor approvals` lists them") from None
    for name, answer in asked.answers.items():
        if answer.truncated:
            say(f"{name} has more than these; it answers with a part of them only")
    found = [one for answer in asked.answers.values() for one in answer.commands]
    return sorted(found, key=lambda one: one.waits_until), asked


def _read(command_id: str, timeout: float | None) -> "WaitingCommand":
    """The waiting command, shown; its digest is taken from what is shown, not from what the service says it is."""
    import hashlib

    found, asked = _waiting(command_id, timeout)
    if not found:
        asked.complain()
        raise Stop(
            Exit.NEGATIVE, f"no command {command_id} waits for approval", "`tresor approvals` lists those that do"
        )
    one = found[0]
    digest = f"sha256:{hashlib.sha256(one.body.encode()).hexdigest()}"
    if digest != one.digest:
        raise Stop(
            Exit.NEGATIVE,
            f"what {one.command_type.partition('.')[0]} shows of command {command_id} is not what it stored",
            "do not approve it; see its audit log",
        )
    asked = json.loads(one.body)
    data = json.dumps(asked.get("data", {}), indent=2, ensure_ascii=True, sort_keys=True)
    out = console(stderr=True)
    out.print(f"{one.command_type} of {one.holder} for {one.subject}, given {asked.get('time')}", markup=False)
    if asked.get("expectedgeneration") is not None:
        out.print(f"at generation {asked['expectedgeneration']}", markup=False)
    out.print(data, markup=False)
    out.print(f"digest {digest}", markup=False)
    return one


def _judge(one: "WaitingCommand", name: str, output: Form, more: dict[str, str], timeout: float | None) -> None:
    from pydantic import ValidationError

    from contracts.catalog import OWNERS
    from operator_cli.giving import end, give

    owner = next(owner for owner in OWNERS if one.command_type.startswith(f"{owner.OWNER}."))
    kind = getattr(owner.CHASSIS, name)
    try:
        message = kind(workspace=one.subject, command_id=one.command_id, digest=one.digest, **more)
    except ValidationError:
        raise Stop(Exit.USAGE, "the reason is longer than a message takes, or has characters it may not have") from None
    outcome = give(message, True, timeout or JUDGE_SECONDS, Form.JSON)
    end(outcome, output, one.subject)
    if output is Form.TABLE and name == "approve":
        say(f"  follow what it begins: tresor watch {one.subject}")

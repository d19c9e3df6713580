"""`tresor ports`: ports that say the same MAC address, and the removal of a spurious one."""

from typing import TYPE_CHECKING, Annotated

import typer

from operator_cli.exits import Exit, Stop
from operator_cli.options import LongTimeout, Output, Timeout, Yes
from operator_cli.printing import Form, coloured, console, emit, say, table

if TYPE_CHECKING:
    from contracts.network_policy import Duplicate, DuplicatePort, DuplicatesListed

app = typer.Typer(no_args_is_help=True, help="Ports: duplicates of a MAC address, and their removal.")

REMOVE_SECONDS = 60.0


@app.command()
def duplicates(
    output: Output = Form.TABLE,
    check: bool = typer.Option(False, "--check", help="Exit code 1 when there is one."),
    timeout: Timeout = None,
) -> None:
    """MAC addresses that several ports say, with the port that is plainly spurious and why."""
    answer = _ask(timeout)
    if output is not Form.TABLE:
        emit(output, answer.model_dump(mode="json"))
    else:
        _show(answer)
    if answer.scanned_at is None:
        raise Stop(Exit.NEGATIVE, "network-policy has not scanned the cloud yet", "ask again in a minute")
    if check and answer.duplicates:
        raise Stop(Exit.NEGATIVE, f"{len(answer.duplicates)} MAC address(es) with several ports")


@app.command()
def remove(
    port_id: Annotated[str, typer.Argument(help="The spurious port's id.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed, and why.")] = False,
    yes: Yes = False,
    output: Output = Form.TABLE,
    timeout: LongTimeout = REMOVE_SECONDS,
) -> None:
    """Delete a spurious port, if everything that makes it one is still so."""
    from contracts.network_policy import RemoveDuplicate
    from operator_cli.giving import end, give

    one = _named(port_id)
    reasons = [reason for spurious in one.spurious if spurious.port_id == port_id for reason in spurious.reasons]
    port = next(each for each in one.ports if each.port_id == port_id)
    if not reasons:
        raise Stop(
            Exit.NEGATIVE,
            f"port {port_id} is not plainly spurious: {_state(port)}",
            "a person has to choose; `tresor ports duplicates` shows what is known of the ports",
        )
    if output is Form.TABLE or not dry_run:
        say(f"port {port_id} ({port.name or 'no name'}) says {one.mac_address}; spurious: {', '.join(reasons)}")
    if dry_run:
        if output is Form.TABLE:
            say("a dry run: nothing is removed")
        else:
            emit(output, {"port_id": port_id, "mac_address": one.mac_address, "reasons": reasons})
        return
    if not yes:
        from operator_cli.workspaces import confirm

        confirm("Delete this port?", port_id)
    outcome = give(RemoveDuplicate(port_id=port_id, evidence=one.evidence), True, timeout, output)
    end(outcome, output, "site")


def _named(port_id: str) -> "Duplicate":
    found = [one for one in _ask(None).duplicates if any(port.port_id == port_id for port in one.ports)]
    if not found:
        raise Stop(
            Exit.NEGATIVE,
            f"port {port_id} is none of those that say one MAC address",
            "`tresor ports duplicates` lists them",
        )
    return found[0]


def _ask(timeout: float | None) -> "DuplicatesListed":
    from contracts.network_policy import DuplicatesListed, ListDuplicates
    from operator_cli.session import opened, run

    async def asking() -> DuplicatesListed:
        async with opened() as session:
            return await session.ask(ListDuplicates(), DuplicatesListed, timeout)

    return run(asking())


def _state(port: "DuplicatePort") -> str:
    bound = f"bound to {port.host}" if port.is_bound else "bound to no host"
    device = {True: "its device is there", False: "its device is gone", None: "its device is not known"}
    return f"{bound}, {port.status or 'no status'}, {device[port.has_device]}"


def _show(answer: "DuplicatesListed") -> None:
    rows = []
    for one in answer.duplicates:
        spurious = {each.port_id: each.reasons for each in one.spurious}
        for port in one.ports:
            reasons = spurious.get(port.port_id)
            rows.append(
                (
                    one.mac_address,
                    coloured(one.kind, False if one.kind == "flapping" else None),
                    port.port_id,
                    port.workspace or port.project_id,
                    port.name if port.says == "own" else f"{port.name} (address pair)",
                    _state(port),
                    f"spurious: {', '.join(reasons)}" if reasons else "",
                )
            )
    columns = ("MAC address", "kind", "port", "of", "name", "state", "verdict")
    table(columns, rows, empty="No MAC address is said by more than one port.")
    out = console()
    for one in answer.duplicates:
        for each in one.spurious:
            out.print(f"to mend: tresor ports remove {each.port_id}", markup=False)
    if answer.scanned_at is not None:
        out.print(f"scanned at {answer.scanned_at:%Y-%m-%d %H:%M:%S} UTC", markup=False)

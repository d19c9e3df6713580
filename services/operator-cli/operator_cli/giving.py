"""Giving a command, and the last words about how it ended."""

import sys
from typing import TYPE_CHECKING, Any

from operator_cli.exits import Exit, Stop
from operator_cli.printing import Form, emit, say, tell_complaints

if TYPE_CHECKING:
    from contracts.envelope import Command
    from operator_cli.session import Outcome
    from shared.yaml_source import Source

_WORDS = {
    "accepted": "is accepted and stored: it will come to an end even if everything restarts",
    "applied": "is applied: all that was asked is so",
    "rejected": "is rejected: nothing was done",
    "failed": "failed: what was made is kept until the command is given again or the workspace is deleted",
    "refused": "is refused: nothing was done",
    "denied": "is refused: this key may not give it",
}


def give(message: "Command", wait: bool, timeout: float, output: Form, generation: int | None = None) -> "Outcome":
    """Send the command, and follow it as long as is wanted."""
    from operator_cli.commands import command
    from operator_cli.session import opened, run

    async def commanding() -> "Outcome":
        async with opened() as session:
            return await command(
                session,
                message,
                wait=wait,
                timeout_seconds=timeout,
                show=wait and (output is Form.TABLE or sys.stderr.isatty()),
                expected_generation=generation,
            )

    return run(commanding())


def end(
    outcome: "Outcome", output: Form, name: str, source: "Source | None" = None, *, follow: str | None = None
) -> None:
    """Say how it ended. Raises Stop when that is bad. `name`: of the workspace; `follow`: what to do meanwhile."""
    from operator_cli.document import located

    if output is not Form.TABLE:
        data: dict[str, Any] = {"workspace": name, **outcome.as_data()}
        emit(output, data)
    if outcome.problems:
        from shared.yaml_source import Source

        shown = source or Source(name)
        tell_complaints(shown, located(shown, outcome.problems))
    if outcome.exit is not Exit.OK:
        remedy = "`tresor keys list` shows what each key may do" if outcome.state == "denied" else ""
        raise Stop(outcome.exit, f"command {outcome.command_id} {_WORDS[outcome.state]}", remedy)
    if output is Form.TABLE:
        say(f"command {outcome.command_id} {_WORDS[outcome.state]}")
        if outcome.state == "accepted":
            say(f"  {follow or f'follow it: tresor watch {name}'}")

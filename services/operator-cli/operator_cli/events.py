"""`tresor events`: what the services tell, as it is told."""

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any

import typer

from operator_cli.exits import Exit, Stop
from operator_cli.options import Output
from operator_cli.printing import Form, console, line, say

if TYPE_CHECKING:
    from contracts.envelope import Message
    from shared.client import Heard

DEFAULT_SECONDS = 10.0


def events(
    output: Output = Form.TABLE,
    follow: bool = typer.Option(False, "--follow", "-f", help="Go on until Ctrl-C."),
    type_: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            "-t",
            help="Only these types: `network-policy.*`, or of every service: `input.refused`. Repeatable.",
        ),
    ] = None,
    workspace: Annotated[
        list[str] | None, typer.Option("--workspace", "-w", help="Only of these workspaces; may be repeated.")
    ] = None,
    seconds: float = typer.Option(DEFAULT_SECONDS, "--seconds", min=0.1, help="How long to listen without --follow."),
    count: int | None = typer.Option(None, "--count", "-n", min=1, help="End after so many."),
    everything: bool = typer.Option(False, "--all", help="The chassis' own bookkeeping too (outbox heads)."),
) -> None:
    """Events from here on: with -o json one CloudEvent a line. Past ones are in the audit log, not on the bus.

    Without --follow it listens for --seconds; exit code 1 when nothing was heard.
    """
    from operator_cli.session import run

    wanted = _Wanted(tuple(type_ or ()), frozenset(workspace or ()), everything)
    heard = run(_listen(output, wanted, None if follow else seconds, count))
    if not heard and not follow:
        raise Stop(
            Exit.NEGATIVE, f"no event was heard in {seconds:.0f} s", "events are told when something happens; --follow"
        )


class _Wanted:
    def __init__(self, types: tuple[str, ...], workspaces: frozenset[str], everything: bool) -> None:
        self.types, self.workspaces, self.everything = types, workspaces, everything

    def takes(self, heard: "Heard", message: "Message | None") -> bool:
        from operator_cli.sentences import is_chatter

        if message is not None and is_chatter(message) and not self.everything:
            return False
        kind = heard.envelope.type
        ends = (kind, kind.partition(".")[2])  # whoever's it is: `input.refused` of every service
        of_type = not self.types or any(fnmatchcase(end, one.replace("#", "*")) for one in self.types for end in ends)
        return of_type and (not self.workspaces or heard.envelope.subject in self.workspaces)


async def _listen(output: Form, wanted: _Wanted, seconds: float | None, count: int | None) -> int:
    import asyncio

    from contracts.catalog import MESSAGES
    from operator_cli.session import opened
    from shared.client import Gap, message_of

    shown = 0
    async with opened() as session:
        await session.client.hear("#")
        if session.settings.keyring_path is None:
            say("no keyring is named (TRESOR_KEYRING_PATH): signatures are not verified")
        try:
            async with asyncio.timeout(seconds):
                async for heard in session.client.events():
                    if isinstance(heard, Gap):
                        say(f"connection lost at {heard.since:%H:%M:%S} UTC and back; some events were not heard")
                        continue
                    message = message_of(heard.envelope, MESSAGES)
                    if wanted.takes(heard, message):
                        _show(output, heard, message)
                        shown += 1
                        if shown == count:
                            return shown
        except TimeoutError:
            pass
        if session.client.forged:
            say(f"{session.client.forged} message(s) passed over that no service had signed")
    return shown


def _show(output: Form, heard: "Heard", message: "Message | None") -> None:
    envelope = heard.envelope
    if output is not Form.TABLE:
        data: dict[str, Any] = envelope.model_dump(mode="json", exclude_none=True)
        line(output, data)
        return
    from rich.text import Text

    from operator_cli.sentences import Sentence, sentence

    said = sentence(message) if message is not None else Sentence("a type unknown to this version of tresor")
    words = Text(f"{envelope.time:%H:%M:%S.%f}"[:-3] + f"  {envelope.subject:<16} {envelope.type:<36} ")
    words.append(said.text, style={True: "green", False: "bold red", None: ""}[said.good])
    console().print(words)

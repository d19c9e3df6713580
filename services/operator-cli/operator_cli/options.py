"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from operator_cli.printing import Form

Output = Annotated[Form, typer.Option("--output", "-o", help="How the answer is written.")]
DocumentFile = Annotated[
    Path, typer.Option("--file", "-f", help="The workspace document, YAML.", exists=False, dir_okay=False)
]
PlanTestsFile = Annotated[
    Path | None, typer.Option("--tests", help="Policy tests to run on what the document would make.", dir_okay=False)
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is done, or only until it is accepted.")]
LongTimeout = Annotated[float, typer.Option("--timeout", help="Seconds to wait for the end.", min=0.1)]
Timeout = Annotated[
    float | None, typer.Option("--timeout", help="Seconds to wait for the answer (setting timeout_seconds).", min=0.1)
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Generation = Annotated[
    int | None,
    typer.Option(
        "--expect-generation", min=0, help="Refuse unless the workspace stands at this generation (a plan names it)."
    ),
]


def complete_workspace(incomplete: str) -> list[str]:
    """The names of the workspaces, for the shell; none when nobody answers at once."""
    try:
        from operator_cli.workspaces import names

        return [name for name in names(2.0) if name.startswith(incomplete)]
    except Exception:  # a shell's completion has nowhere to complain
        return []


Name = Annotated[str, typer.Argument(help="The workspace's name.", autocompletion=complete_workspace)]
SomeName = Annotated[str | None, typer.Argument(help="The workspace's name.", autocompletion=complete_workspace)]

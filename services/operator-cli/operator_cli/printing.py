"""What goes to the terminal: answers to standard output in the form asked for, words about trouble to standard error."""

import json
import sys
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from operator_cli.exits import Stop

if TYPE_CHECKING:
    from rich.console import Console

    from shared.yaml_source import Complaint, Source


UNLIMITED_COLUMNS = 100_000
"""The width of what is no terminal."""
COLUMN_GAP = 3


class Form(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def console(*, stderr: bool = False) -> "Console":
    """Where words go. Not a terminal: plain text, as wide as it needs to be."""
    from rich.console import Console

    class Pipe(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    stream = sys.stderr if stderr else sys.stdout
    made = Pipe(file=stream, highlight=False, soft_wrap=not stream.isatty(), emoji=False)
    if not stream.isatty():
        made.width = UNLIMITED_COLUMNS
    return made


def emit(form: Form, data: Any) -> None:
    """`data` as JSON or YAML to standard output."""
    if form is Form.JSON:
        sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    else:
        import yaml

        sys.stdout.write(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
    sys.stdout.flush()


def line(form: Form, data: Any) -> None:
    """One of a stream: a JSON object a line, or a YAML document."""
    if form is Form.JSON:
        sys.stdout.write(json.dumps(data, ensure_ascii=False) + "\n")
    else:
        import yaml

        sys.stdout.write("---\n" + yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
    sys.stdout.flush()


def table(columns: tuple[str, ...], rows: list[tuple[Any, ...]], *, title: str = "", empty: str = "") -> None:
    """A table to standard output; `empty` is said when there is no row.

    Nothing is ever cut: cells wrap between words, and where the terminal is too narrow for that each row becomes a
    block of lines.
    """
    if not rows:
        sys.stdout.write(f"{empty}\n")
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    out = console()
    cells = [[cell if isinstance(cell, Text) else Text(str(cell)) for cell in row] for row in rows]
    widths = column_widths([[head, *(row[at].plain for row in cells)] for at, head in enumerate(columns)], out.width)
    if widths is None:
        if title:
            out.print(title, markup=False)
        longest = max(map(len, columns))
        for row in cells:
            out.print()
            for head, cell in zip(columns, row, strict=True):
                out.print(Text.assemble(f"{head:<{longest}}  ", cell), soft_wrap=True)
        return
    made = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for head, width in zip(columns, widths, strict=True):
        made.add_column(head, width=width, overflow="fold")
    for row in cells:
        made.add_row(*row)
    out.print(made)


def column_widths(columns: list[list[str]], width: int) -> list[int] | None:
    """How wide each column is to be, so that all fit into `width` and no word is broken. None where that can't be."""
    natural = [max(len(line) for text in column for line in text.split("\n")) for column in columns]
    least = [max((len(word) for text in column for word in text.split()), default=1) for column in columns]
    room = width - sum(least) - len(columns) * COLUMN_GAP
    if room < 0:
        return None
    made = least.copy()
    wishes = sorted(range(len(columns)), key=lambda at: natural[at] - least[at])
    for left, at in zip(range(len(wishes), 0, -1), wishes, strict=True):
        more = min(natural[at] - least[at], room // left)
        made[at] += more
        room -= more
    return made


def coloured(text: str, good: bool | None) -> Any:
    """A word in green, red, or (None) yellow."""
    from rich.text import Text

    return Text(text, style="yellow" if good is None else "green" if good else "bold red")


def tell(text: str) -> None:
    """A sentence of the answer itself, to standard output."""
    sys.stdout.write(f"{text}\n")


def say(text: str) -> None:
    """A sentence about what goes on, to standard error."""
    with suppress(OSError):  # nobody is left to tell; the exit code says it
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def tell_stop(stop: Stop) -> None:
    """The last sentence of a command that ends badly."""
    say(f"tresor: {stop}")
    if stop.remedy:
        say(f"  what to do: {stop.remedy}")


def tell_complaints(source: "Source", complaints: "tuple[Complaint, ...]") -> None:
    """Every complaint as `file:line:column: field: reason`, with the line itself and what to do."""
    for one in complaints:
        place = f":{one.place.line}:{one.place.column}" if one.place else ""
        name = f" {one.field}:" if one.field else ""
        say(f"{source.name}{place}:{name} {one.reason}")
        if one.place is not None and (text := source.line(one.place)).strip():
            shown = text[:160].replace("\t", " ")
            say(f"  {one.place.line:>4} | {shown}\n       | {' ' * (one.place.column - 1)}^")
        if one.remedy:
            say(f"  what to do: {one.remedy}")

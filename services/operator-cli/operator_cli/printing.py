"""What goes to the terminal: answers to standard output in the form asked for, words about trouble to standard error."""

import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from operator_cli.exits import Stop

if TYPE_CHECKING:
    from rich.console import Console

    from operator_cli.yaml_source import Complaint, Source


class Form(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def console(*, stderr: bool = False) -> "Console":
    """Where words go. Not a terminal: plain text, as wide as it needs to be."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    made = Console(file=stream, highlight=False, soft_wrap=not stream.isatty(), emoji=False)
    if not stream.isatty():
        made.width = 200
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
    """A table to standard output; `empty` is said when there is no row."""
    if not rows:
        sys.stdout.write(f"{empty}\n")
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(*columns, title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    console().print(made)


def coloured(text: str, good: bool | None) -> Any:
    """A word in green, red, or (None) yellow."""
    from rich.text import Text

    return Text(text, style="yellow" if good is None else "green" if good else "bold red")


def say(text: str) -> None:
    """A sentence about what goes on, to standard error."""
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

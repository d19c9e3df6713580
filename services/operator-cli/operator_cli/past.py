"""`tresor isolation --at`, `--between`, `--from`, `--to`: what was possible at a time, or at any time between two."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from operator_cli.exits import Exit, Stop
from operator_cli.printing import Form, coloured, console, emit, table

if TYPE_CHECKING:
    from contracts.network_policy import HistoryShown

At = Annotated[str | None, typer.Option("--at", help="As it was then: 2026-03-03T12:00, UTC unless it says otherwise.")]
Between = Annotated[
    tuple[str, str] | None, typer.Option("--between", help="At any time between these two; with --from and --to.")
]
From = Annotated[
    str | None,
    typer.Option("--from", help="Where from: a role, node:…, a port's id, an address, workspace:…, outside."),
]
To = Annotated[str | None, typer.Option("--to", help="Where to, written like --from.")]

_ASKED = {"of": "workspace", "source": "end: see --from", "target": "end: see --to"}
_GOOD = {"isolated": True, "violated": False, "unknown": None}


def show_past(
    workspace: str | None,
    at: str | None,
    between: tuple[str, str] | None,
    source: str | None,
    target: str | None,
    output: Form,
    timeout: float | None,
) -> None:
    """Ask and show. Raises Stop: exit code 1 when something was open, violated or not known."""
    if at is not None and between is not None:
        raise Stop(Exit.USAGE, "give --at or --between, not both")
    if at is None and between is None:
        raise Stop(Exit.USAGE, "--from and --to are about the past: give --at or --between with them")
    begin, end = (
        (moment(at), None) if at is not None else (moment(between[0]), moment(between[1])) if between else (None, None)
    )
    assert begin is not None
    answer = _ask(workspace, begin, end, source, target, timeout)
    if output is not Form.TABLE:
        emit(output, answer.model_dump(mode="json"))
    elif source is None:
        _show_verdicts(answer)
    else:
        _show_spans(answer, source, str(target))
    if answer.spans or answer.problem or answer.unknown:
        what = "open" if answer.spans else "not known"
        raise Stop(Exit.NEGATIVE, f"{what} in that time", "docs/isolation-history.md")
    bad = [one.workspace for one in answer.verdicts if one.verdict != "isolated"]
    if bad:
        raise Stop(Exit.NEGATIVE, f"not proven isolated then: {', '.join(bad)}", "docs/isolation-history.md")


def moment(text: str) -> datetime:
    """A time of day; UTC where it names no zone. Raises Stop."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise Stop(Exit.USAGE, f"'{text}' is no time; write 2026-03-03T12:00 or 2026-03-03T12:00:00+01:00") from None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def _ask(
    workspace: str | None,
    begin: datetime,
    end: datetime | None,
    source: str | None,
    target: str | None,
    timeout: float | None,
) -> "HistoryShown":
    from pydantic import ValidationError

    from contracts.network_policy import HistoryShown, ShowHistory
    from operator_cli.session import opened, run

    try:
        query = ShowHistory(of=workspace, begin=begin, end=end, source=source, target=target)
    except ValidationError as error:
        first = error.errors()[0]
        if first["loc"]:
            raise Stop(Exit.USAGE, f"'{first['input']}' names no {_ASKED[str(first['loc'][0])]}") from None
        raise Stop(Exit.USAGE, str(first["msg"]).removeprefix("Value error, ")) from None

    async def asking() -> HistoryShown:
        async with opened() as session:
            return await session.ask(query, HistoryShown, timeout)

    return run(asking())


def _show_verdicts(answer: "HistoryShown") -> None:
    rows = [
        (
            one.workspace,
            coloured(one.verdict, _GOOD[one.verdict]),
            one.generation or "",
            one.counterexamples[0].why if one.counterexamples else "",
        )
        for one in answer.verdicts
    ]
    table(("workspace", "verdict", "gen", "what could pass"), rows, title=f"at {_time(answer.begin)}", empty=_NOTHING)
    _show_limits(answer)


_NOTHING = "Nothing was declared at that time, as far as is known."


def _show_spans(answer: "HistoryShown", source: str, target: str) -> None:
    rows = [
        (
            _time(span.open_from),
            _time(span.open_until) if span.open_until else "still open then",
            span.packet.why,
            "; ".join(
                f"{one.resource_id} since {_time(one.since)} by {one.actor or 'nobody named'}"
                + (f" in {one.request_id}" if one.request_id else "")
                for one in span.origins
            ),
        )
        for span in answer.spans
    ]
    none = f"{'As far as is known, no' if answer.unknown else 'No'} packet could pass from {source} to {target}"
    none += f" between {_time(answer.begin)} and {_time(answer.end)}." if answer.end != answer.begin else " then."
    if answer.problem:
        none = f"Nothing could be tried: {answer.problem}."
    table(("open from", "until", "one packet", "by"), rows, empty=none)
    _show_limits(answer)


def _show_limits(answer: "HistoryShown") -> None:
    out = console()
    for one in answer.unknown:
        out.print(f"Not known from {_time(one.begin)} to {_time(one.end)}: {one.why}.")
    if answer.complete_until is not None:
        out.print(f"Gone through only until {_time(answer.complete_until)}: ask about the rest by itself.")
    out.print(
        f"Where OpenStack is silent, a change may have been up to {answer.bound_seconds:.0f} s earlier than shown."
    )


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC"

"""`tresor findings ack|accept|resolve`: signed commands of a security officer about one finding."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from operator_cli.exits import Exit, Stop
from operator_cli.printing import Form

if TYPE_CHECKING:
    from contracts.security_monitor import AboutFinding, Finding, FindingList

WAIT_SECONDS = 30.0
ACKNOWLEDGE, ACCEPT, RESOLVE = "ack", "accept", "resolve"


def change(verb: str, finding_id: str, note: str, until: str | None, output: Form, timeout: float | None) -> None:
    """Look the finding up, as the command names whose it is, and give the command."""
    from contracts.security_monitor import AcceptFinding, AcknowledgeFinding, ResolveFinding
    from operator_cli.giving import end, give

    kinds: dict[str, type[AboutFinding]] = {
        ACKNOWLEDGE: AcknowledgeFinding,
        ACCEPT: AcceptFinding,
        RESOLVE: ResolveFinding,
    }
    if verb not in kinds:
        raise Stop(Exit.USAGE, f"unexpected argument '{finding_id}'", "use one of: ack, accept, resolve")
    if not note:
        raise Stop(Exit.USAGE, "no note is given", "say why with --note: it is kept with the finding")
    if (until is None) is (verb == ACCEPT):
        raise Stop(Exit.USAGE, "--until goes with accept, and accept with --until", "--until 2027-05-31")
    fields = {} if until is None else {"until": _moment(until)}
    workspace = _found(finding_id, timeout).workspace or "site"
    command = _made(kinds[verb], finding_id=finding_id, workspace=workspace, note=note, **fields)
    end(give(command, True, timeout or WAIT_SECONDS, output), output, workspace)


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Stop(Exit.USAGE, f"'{text}' is no date", "write it like 2027-05-31 or 2027-05-31T12:00") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _found(finding_id: str, timeout: float | None) -> "Finding":
    from contracts.security_monitor import FindingList, ListFindings
    from operator_cli.session import opened, run

    query = _made(ListFindings, finding_id=finding_id)

    async def asking() -> "FindingList":
        async with opened() as session:
            return await session.ask(query, FindingList, timeout)

    found = run(asking()).findings
    if not found:
        raise Stop(Exit.NEGATIVE, f"there is no finding '{finding_id}'", "`tresor findings --resolved` lists them")
    return found[0]


def _made(kind: Any, **fields: Any) -> Any:
    """The message. Raises Stop when a field is wrong."""
    from pydantic import ValidationError

    try:
        return kind(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise Stop(Exit.USAGE, f"{name}: {first['msg']}") from None

"""`tresor detections`: the rules that the audit log is judged by, and a rule's own tests."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from operator_cli.exits import Exit, Stop
from operator_cli.options import Output, Timeout
from operator_cli.printing import Form, coloured, emit, say, table

if TYPE_CHECKING:
    from contracts.security_monitor import DetectionList

app = typer.Typer(no_args_is_help=True, help="Detection rules: those in force, and the tests of a file.")


@app.command("list")
def list_rules(output: Output = Form.TABLE, timeout: Timeout = None) -> None:
    """The rules in force. Exit code 1 when the site's own, as they lie there, were refused."""
    answer = _ask(None, timeout)
    if output is not Form.TABLE:
        emit(output, answer.model_dump(mode="json"))
    else:
        rows = [
            (
                one.rule,
                one.severity,
                coloured("idle", None) if one.idle else coloured("on", True),
                one.origin,
                ", ".join(one.tags),
                f"{one.title}; {one.idle}" if one.idle else one.title,
            )
            for one in answer.detections
        ]
        table(("rule", "severity", "state", "from", "tags", "title"), rows, empty="No rules.")
    if answer.refused:
        raise Stop(Exit.NEGATIVE, f"the site's rules were refused: {answer.refused}", "`tresor detections test FILE`")


@app.command()
def show(rule: Annotated[str, typer.Argument(help="The rule's id.")], timeout: Timeout = None) -> None:
    """The file of one rule, as it is in force: YAML to standard output."""
    found = _ask(rule, timeout).detections
    if not found:
        raise Stop(Exit.NEGATIVE, f"there is no rule '{rule}'", "`tresor detections list` shows those there are")
    sys.stdout.write(found[0].text)


@app.command("test")
def run_tests(
    files: Annotated[list[Path], typer.Argument(help="Files with one rule each.", dir_okay=False)],
    output: Output = Form.TABLE,
) -> None:
    """Run the tests that stand in the files, here, without the service. Exit code 1 when one does not hold."""
    from operator_cli.printing import tell_complaints
    from security_monitor.domain.detections import BadRule, compiled, rule_of
    from security_monitor.domain.detections.examples import EXAMPLE, run
    from shared.yaml_source import BadSource, Complaint, Source, dotted, read

    rows: list[tuple[str, str, str]] = []
    for path in files:
        source = Source(str(path))
        try:
            source = read(path)
            rule = rule_of(source.values)
            compiled(rule, EXAMPLE)
            rows += [(rule.id, each.name, each.why) for each in run(rule)]
        except OSError as error:
            raise Stop(Exit.USAGE, f"{path} can't be read: {error.strerror}") from None
        except BadSource as error:
            tell_complaints(error.source, error.complaints)
            raise Stop(Exit.USAGE, f"{path} is no rule") from None
        except BadRule as error:
            complaint = Complaint(source.place(error.path), dotted(error.path), error.reason, error.remedy)
            tell_complaints(source, (complaint,))
            raise Stop(Exit.USAGE, f"{path} is no rule") from None
    if output is not Form.TABLE:
        emit(output, {"tests": [{"rule": rule, "test": name, "failed": why} for rule, name, why in rows]})
    else:
        shown = [(rule, name, coloured(why or "holds", not why)) for rule, name, why in rows]
        table(("rule", "test", "result"), shown)
    if failed := [row for row in rows if row[2]]:
        raise Stop(Exit.NEGATIVE, f"{len(failed)} of {len(rows)} tests do not hold")
    say(f"{len(rows)} tests hold")


def _ask(rule: str | None, timeout: float | None) -> "DetectionList":
    from pydantic import ValidationError

    from contracts.security_monitor import DetectionList, ListDetections
    from operator_cli.session import opened, run

    try:
        query = ListDetections(rule=rule)
    except ValidationError:
        raise Stop(Exit.USAGE, f"'{rule}' is no rule's id") from None

    async def asking() -> DetectionList:
        async with opened() as session:
            return await session.ask(query, DetectionList, timeout)

    return run(asking())

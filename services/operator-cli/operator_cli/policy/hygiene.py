"""`tresor policy hygiene`: what network-policy's last full scan had to say of groups."""

from collections import Counter
from typing import TYPE_CHECKING

import typer

from operator_cli.exits import Exit, Stop
from operator_cli.options import Output, SomeName, Timeout
from operator_cli.printing import Form, console, emit, table
from operator_cli.workspaces import require_known

if TYPE_CHECKING:
    from contracts.network_policy import HygieneShown

SHOWN_REMARKS = 4


def hygiene(
    workspace: SomeName = None,
    output: Output = Form.TABLE,
    check: bool = typer.Option(False, "--check", help="Exit code 1 when there is anything to say of a group."),
    timeout: Timeout = None,
) -> None:
    """Repeats, shadowed and over-broad rules, groups nobody uses, and how few rules would do: of all projects, or of a
    workspace's.

    `tresor policy minimise` prints the smaller set of a group with its proof.
    """
    from pydantic import ValidationError

    from contracts.network_policy import HygieneShown, ShowHygiene
    from operator_cli.session import opened, run

    try:
        query = ShowHygiene(of=workspace)
    except ValidationError:
        raise Stop(Exit.USAGE, f"'{workspace}' is no workspace name") from None

    async def asking() -> HygieneShown:
        async with opened() as session:
            return await session.ask(query, HygieneShown, timeout)

    answer = run(asking())
    if workspace is not None and not answer.groups:
        require_known(workspace, timeout)
    if output is not Form.TABLE:
        emit(output, answer.model_dump(mode="json"))
    else:
        _show(answer)
    if answer.observed_at is None:
        raise Stop(
            Exit.NEGATIVE,
            "network-policy has not looked at the whole cloud yet",
            "it does so at its start, and again after each scan's period",
        )
    if check and answer.groups:
        raise Stop(Exit.NEGATIVE, f"{len(answer.groups) + answer.more_groups} groups with something to say of them")


def _show(answer: "HygieneShown") -> None:
    rows = []
    for one in answer.groups:
        times = Counter(f"{each.kind}: {each.words}" for each in one.remarks)
        shown = list(times.items())[:SHOWN_REMARKS]
        words = [words if count == 1 else f"{words} ({count} rules)" for words, count in shown]
        more = len(one.remarks) - sum(count for _, count in shown) + one.more_remarks
        least = f"{one.least_rules}{'' if one.is_fewest else ' or fewer'}"
        told = "\n".join([*words, *([f"and {more} more"] if more > 0 else [])])
        rows.append(
            (one.workspace or f"project {one.project_id}", one.name or one.group_id, one.ports, one.rules, least, told)
        )
    table(("whose", "group", "ports", "rules", "would do", "what"), rows, empty="There is nothing to say of any group.")
    if answer.more_groups:
        console().print(f"and {answer.more_groups} more groups", markup=False)
    if answer.observed_at is not None and not answer.projects_known:
        console().print("groups of missing projects: not judged, Keystone did not tell of all projects", markup=False)
    if answer.observed_at is not None:
        console().print(
            f"{answer.all_groups} groups with {answer.all_rules} rules, where {answer.all_least_rules} would do; "
            f"seen {answer.observed_at:%Y-%m-%d %H:%M:%S} UTC",
            markup=False,
        )

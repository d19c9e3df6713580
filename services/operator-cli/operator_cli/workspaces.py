"""`tresor workspace`: create, show, list, delete, plan."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from operator_cli.exits import Exit, Stop
from operator_cli.giving import end, give
from operator_cli.options import DocumentFile, Generation, LongTimeout, Name, Output, PlanTestsFile, Timeout, Wait, Yes
from operator_cli.printing import Form, coloured, emit, say, table, tell_complaints

if TYPE_CHECKING:
    from contracts.network_policy import PolicyPlanned, PolicyTestsRun
    from contracts.provisioner import WorkspaceShown
    from contracts.workspace import Workspace
    from shared.yaml_source import Source

app = typer.Typer(no_args_is_help=True, help="Workspaces: create, show, list, delete, plan.")

CREATE_SECONDS = 900.0
_STATES = {"ready": True, "failed": False}
_ACTIONS = {"create": True, "keep": None, "change": None, "delete": False}


@app.command()
def create(
    file: DocumentFile,
    output: Output = Form.TABLE,
    wait: Wait = True,
    timeout: LongTimeout = CREATE_SECONDS,
    expect_generation: Generation = None,
) -> None:
    """Make the workspace that the document describes, or finish or change one that is there."""
    document, source = read_document(file)
    from contracts.provisioner import CreateWorkspace

    outcome = give(CreateWorkspace(document=document), wait, timeout, output, expect_generation)
    end(outcome, output, document.name, source)


@app.command()
def delete(
    name: Name,
    output: Output = Form.TABLE,
    wait: Wait = True,
    timeout: LongTimeout = CREATE_SECONDS,
    yes: Yes = False,
    expect_generation: Generation = None,
) -> None:
    """Remove the workspace with all that is in it: servers, shares and volumes with their data, networks, project."""
    from contracts.provisioner import DeleteWorkspace

    if not yes:
        confirm(f"Delete workspace '{name}' with its servers, shares, volumes and all their data?", name)
    outcome = give(_made(DeleteWorkspace, workspace=name), wait, timeout, output, expect_generation)
    end(outcome, output, name)


@app.command()
def show(name: Name, output: Output = Form.TABLE, timeout: Timeout = None) -> None:
    """One workspace with its state, networks and nodes. Exit code 1 when there is none of that name."""
    from contracts.provisioner import ShowWorkspace, WorkspaceShown

    query = _made(ShowWorkspace, workspace=name)
    answer: WorkspaceShown = _ask(query, WorkspaceShown, timeout)
    if output is not Form.TABLE:
        emit(output, answer.model_dump(mode="json", by_alias=True))
    elif answer.summary is not None:
        _show(answer)
    if answer.summary is None:
        raise Stop(Exit.NEGATIVE, f"there is no workspace '{name}'", "`tresor workspace list` shows those there are")


@app.command("list")
def list_(
    output: Output = Form.TABLE,
    deleted: bool = typer.Option(False, "--deleted", help="Deleted ones too."),
    timeout: Timeout = None,
) -> None:
    """The register of workspaces, newest first."""
    from contracts.provisioner import ListWorkspaces, WorkspaceList

    answer: WorkspaceList = _ask(ListWorkspaces(deleted=deleted), WorkspaceList, timeout)
    if output is not Form.TABLE:
        emit(output, answer.model_dump(mode="json"))
        return
    rows = [
        (
            one.workspace,
            coloured(one.state, _STATES.get(one.state)),
            one.generation,
            f"{one.nodes_active}/{one.nodes}",
            one.sensitivity,
            one.owner,
            one.expiry,
            one.step,
        )
        for one in answer.workspaces
    ]
    columns = ("workspace", "state", "gen", "nodes", "sensitivity", "owner", "expiry", "step")
    table(columns, rows, empty="There is no workspace. `tresor workspace create -f FILE` makes one.")
    if answer.truncated:
        say("there are more than these; the service answers with a part of them only")


@app.command()
def plan(file: DocumentFile, output: Output = Form.TABLE, tests: PlanTestsFile = None, timeout: Timeout = None) -> None:
    """What a create with this document would do, and everything that speaks against it. Changes nothing."""
    make_plan(file, output, tests, timeout)


def make_plan(file: Path, output: Form, tests: Path | None, timeout: float | None) -> None:
    """The body of `plan`. Exit code 3 when a create would be rejected, 1 when a policy test fails."""
    document, source = read_document(file)
    tested = _tested(tests, document) if tests is not None else None
    from contracts.provisioner import PlanWorkspace, WorkspacePlanned
    from operator_cli.document import located
    from operator_cli.policy import planning, results

    answer: WorkspacePlanned = _ask(PlanWorkspace(document=document), WorkspacePlanned, timeout or 30.0)
    policy, silence = _policy_plan(document, timeout)
    if output is not Form.TABLE:
        policy_tests = {"policy_tests": tested.model_dump(mode="json")} if tested is not None else {}
        policy_plan = {"policy": policy.model_dump(mode="json") if policy is not None else None}
        emit(output, {**answer.model_dump(mode="json"), **policy_plan, **policy_tests})
    else:
        table(
            ("", "kind", "name", "detail"),
            [(coloured(one.action, _ACTIONS[one.action]), one.kind, one.name, one.detail) for one in answer.changes],
            title=f"{answer.workspace}, from generation {answer.generation}",
            empty="Nothing would change.",
        )
        if policy is not None:
            planning.show_plan(policy)
        if tested is not None:
            results.show(tested.results, "policy tests, on what the document would make")
    if silence:
        say(f"what the network policy would change is not known: {silence}")
    told = {one.reason for one in answer.problems}
    own = tuple(one for one in policy.problems if one.reason not in told) if policy is not None else ()
    found = (*answer.problems, *own)
    if found:
        tell_complaints(source, located(source, found))
        raise Stop(Exit.REJECTED, f"a create with this document would be rejected: {len(found)} problem(s)")
    if tested is not None:
        results.end(tested.results, strict=False)


def _policy_plan(document: "Workspace", timeout: float | None) -> "tuple[PolicyPlanned | None, str]":
    """The network policy's part, or why there is none: the provisioner's part is worth telling without it."""
    from operator_cli.policy.planning import ask_plan

    try:
        return ask_plan(document, timeout), ""
    except Stop as end:
        return None, str(end)


def _tested(file: Path, document: "Workspace") -> "PolicyTestsRun":
    """The policy tests on the world as it would stand with the document, before any service is asked."""
    from operator_cli.policy.source import check_names, read_tests
    from operator_cli.policy.testing import read_site, run_on_documents

    tests, source = read_tests(file)
    site = read_site(None)
    check_names(tests, source, document, site)
    return run_on_documents(tests, [document], site)


def read_document(file: Path) -> "tuple[Workspace, Source]":
    """The document, checked as far as that goes without the services. Raises Stop after telling what is wrong."""
    from operator_cli.document import load
    from operator_cli.settings import load as load_settings
    from shared.yaml_source import BadSource

    site_path = load_settings().site_path
    site = None
    if site_path is not None:
        from shared.errors import Configuration
        from shared.settings import load_site

        try:
            site = load_site(site_path)
        except Configuration as error:
            raise Stop(Exit.USAGE, str(error), "correct it, or unset TRESOR_SITE_PATH") from None
    try:
        return load(file, site)
    except OSError as error:
        raise Stop(Exit.USAGE, f"{file} can't be read: {error.strerror}", "give the document with -f FILE") from None
    except BadSource as error:
        tell_complaints(error.source, error.complaints)
        count = len(error.complaints)
        raise Stop(
            Exit.USAGE, f"the document has {count} problem{'s' if count > 1 else ''}; nothing was sent"
        ) from None


def confirm(question: str, word: str) -> None:
    """Have the person type `word`. Raises Stop when it is not typed, or nobody is there to type."""
    if not sys.stdin.isatty():
        raise Stop(Exit.USAGE, "nobody is there to confirm", "give --yes to do it without being asked")
    say(question)
    if typer.prompt(f"Type '{word}' to go on", default="", show_default=False, err=True) != word:
        raise Stop(Exit.USAGE, "not confirmed; nothing was sent")


def names(timeout_seconds: float) -> list[str]:
    """The names of all workspaces."""
    from contracts.provisioner import ListWorkspaces, WorkspaceList

    answer: WorkspaceList = _ask(ListWorkspaces(), WorkspaceList, timeout_seconds)
    return [one.workspace for one in answer.workspaces]


def require_known(workspace: str, timeout: float | None) -> None:
    """Told nothing of a workspace, somebody may have mistyped it: raises Stop where the register never had that name."""
    from contracts.provisioner import ListWorkspaces, WorkspaceList

    try:
        answer: WorkspaceList = _ask(ListWorkspaces(deleted=True), WorkspaceList, timeout)
    except Stop as stop:
        if stop.code is Exit.UNREACHABLE:
            return  # the answer itself is good without the provisioner
        raise
    if not answer.truncated and all(one.workspace != workspace for one in answer.workspaces):
        raise Stop(
            Exit.NEGATIVE,
            f"there has never been a workspace '{workspace}'",
            "`tresor workspace list` shows those there are",
        )


def _made(kind: Any, **values: Any) -> Any:
    """The message with what was typed. Raises Stop when it is no valid name."""
    from pydantic import ValidationError

    try:
        return kind(**values)
    except ValidationError:
        name = next(iter(values.values()))
        raise Stop(
            Exit.USAGE, f"'{name}' is no workspace name", "lower case, digits and hyphens, a letter first, 40 at most"
        ) from None


def _ask(query: Any, answer: Any, timeout: float | None) -> Any:
    from operator_cli.session import opened, run

    async def asking() -> Any:
        async with opened() as session:
            return await session.ask(query, answer, timeout)

    return run(asking())


def _show(answer: "WorkspaceShown") -> None:
    one = answer.summary
    assert one is not None
    table(
        ("field", "value"),
        [
            ("workspace", one.workspace),
            ("state", coloured(one.state, _STATES.get(one.state))),
            ("step", one.step),
            ("generation", one.generation),
            ("project", answer.project_id or ""),
            ("owner", f"{one.owner} ({one.affiliation})"),
            ("sensitivity", one.sensitivity),
            ("expiry", one.expiry),
            *(
                (
                    f"network {network.name}",
                    f"{', '.join(network.prefixes)} ({network.network_class}) {network.network_id}",
                )
                for network in answer.networks
            ),
            *((f"problem {problem.field}", f"{problem.reason}. {problem.remedy}") for problem in answer.problems),
        ],
    )
    rows = [
        (
            node.node,
            node.role,
            coloured(node.status, True if node.status == "ACTIVE" else False if node.status == "ERROR" else None),
            ", ".join(node.addresses),
            node.server_id or "",
            node.fault,
        )
        for node in answer.nodes
    ]
    table(("node", "role", "status", "addresses", "server", "fault"), rows, empty="No nodes.")

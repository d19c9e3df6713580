"""Pictures of an answer as files."""

from collections.abc import Mapping
from pathlib import Path

from contracts.network_policy import IsolationShown
from operator_cli.exits import Exit, Stop
from operator_cli.pictures import content, graph, matrix, page
from operator_cli.pictures.drawing import to_svg


def as_svg(answer: IsolationShown, workspace: str | None, names: Mapping[str, str]) -> str:
    """All workspaces, or one where it is asked for and known. `names`: what to call prefixes."""
    if workspace is not None and answer.workspaces:
        return to_svg(graph.draw(content.enclave(answer.workspaces[0], names)))
    return to_svg(matrix.draw(content.estate(answer)))


def as_html(answer: IsolationShown, workspace: str | None, names: Mapping[str, str]) -> str:
    """The same as a page, with tables."""
    if workspace is not None and answer.workspaces:
        return page.of_one(content.enclave(answer.workspaces[0], names), answer)
    return page.of_all(content.estate(answer), answer)


def write(path: Path, text: str) -> None:
    """Write it. Raises Stop when that can't be done."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Stop(Exit.USAGE, f"{path} can't be written: {error.strerror}") from None

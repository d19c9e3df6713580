"""`tresor audit-log verify`: with nothing but the file."""

import json
from datetime import UTC, datetime
from pathlib import Path

from contracts.audit import FIRST_LINK, Entry, Head, Row, export_line, head_line, link_of, microseconds
from tests.operator_cli.conftest import Tresor


def export(rows: int) -> list[str]:
    """A whole export of that many rows."""
    link, lines = FIRST_LINK, []
    at = datetime(2026, 11, 21, 10, tzinfo=UTC)
    for position in range(1, rows + 1):
        entry = Entry(
            "event",
            "provisioner.workspace.ready",
            f"m{position}",
            "provisioner",
            at,
            "",
            "",
            "",
            "openhpc",
            False,
            b"{}",
        )
        link = link_of(link, "tresor", position, microseconds(at), entry)
        lines.append(export_line(Row("tresor", position, at, entry, link)))
    return [*lines, head_line(Head("openstack", 0, FIRST_LINK)), head_line(Head("tresor", rows, link))]


async def test_a_whole_log_verifies_and_each_change_shows(tresor: Tresor, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    lines = export(20)
    path.write_text("\n".join(lines))
    whole = await tresor("audit-log", "verify", str(path), "-o", "json")
    assert (whole.code, json.loads(whole.out)["rows"], json.loads(whole.out)["whole"]) == (0, 20, True)
    changed = lines[7].replace("openhpc", "another")
    for broken, position in (
        ([*lines[:7], changed, *lines[8:]], 8),
        ([*lines[:7], *lines[8:]], 8),
        ([*lines[:7], lines[8], lines[7], *lines[9:]], 8),
        ([*lines[:15], *lines[20:]], 16),
    ):
        path.write_text("\n".join(broken))
        ended = await tresor("audit-log", "verify", str(path))
        assert ended.code == 1, ended.out
        assert f"the chain breaks at row {position}" in ended.err


async def test_what_is_no_log_is_told(tresor: Tresor, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for text in ("{}", "nonsense\n", "", "\x00\x01"):
        path.write_text(text)
        ended = await tresor("audit-log", "verify", str(path))
        assert ended.code == 1, text
        assert "Traceback" not in ended.err
    assert (await tresor("audit-log", "verify", str(tmp_path / "none"))).code == 2

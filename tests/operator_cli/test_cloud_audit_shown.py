"""How `tresor audit` shows what it found: a table, data, a page; what tenants named steers no reader of it."""

from pathlib import Path

from operator_cli.exits import Exit
from tests.operator_cli.auditing import audited
from tests.operator_cli.conftest import Tresor
from tests.operator_cli.wrong_cloud import Wrong, connect
from twin.testing import RunningTwin


async def test_a_file_for_a_browser_that_fetches_and_runs_nothing(tresor: Tresor, wrong: Wrong, tmp_path: Path) -> None:
    cloud = connect(wrong.twin)
    evil = cloud.network.create_security_group(name="<script>alert(1)</script>")
    cloud.network.create_security_group_rule(
        security_group_id=evil.id,
        direction="ingress",
        ethertype="IPv4",
        protocol="tcp",
        port_range_min=23,
        port_range_max=23,
    )
    await audited(tresor, wrong.twin, "--html", str(tmp_path / "report.html"))
    cloud.network.delete_security_group(evil)
    text = (tmp_path / "report.html").read_text()
    assert "&lt;script&gt;alert(1)" in text
    assert "<script" not in text
    assert "src=" not in text
    assert "href=" not in text
    for kind in ("world-open-admin", "attachment-mismatch"):
        assert kind in text


async def test_names_steer_neither_terminal_nor_reader(tresor: Tresor, empty: RunningTwin) -> None:
    """A tenant calls its group what it likes, and an administrator reads it."""
    cloud = connect(empty)
    project = cloud.identity.create_project(name="p\x1b]0;owned\x07", domain_id="default")
    cloud.network.create_security_group(name="g\x1b[2J\u202egood", project_id=project.id)
    where = ("--clouds", str(empty.clouds_file), "--cloud", "twin")
    for more in (("--full",), ("-o", "json"), ("-o", "yaml")):
        ended = await tresor("audit", *where, *more)
        assert "good" in ended.out
        assert not {"\x1b", "\x07", "\u202e"} & set(ended.out), more
        assert "\\u001b" not in ended.out
    ended = await tresor("policy", "minimise", next(cloud.network.security_groups(project_id=project.id)).id, *where)
    assert not {"\x1b", "\u202e"} & set(ended.out)


async def test_the_table_names_the_command_that_mends_it(tresor: Tresor, wrong: Wrong) -> None:
    ended = await tresor("audit", "--clouds", str(wrong.twin.clouds_file), "--cloud", "twin")
    assert ended.code == Exit.NEGATIVE
    assert "CRITICAL" in ended.out
    assert f"openstack floating ip unset --port {wrong.resources['floating-ip-open']}" in ended.out
    assert "docs/runbooks/audit.md#floating-ip-open" in ended.out
    assert "not judged" in ended.out
    assert "reading twin" in ended.err, "the progress goes to standard error"

"""`tresor audit` of a cloud that Tresor has never seen: everything that is wrong is found, nothing is written."""

import json
import time
from pathlib import Path

from network_policy.domain.audit.kinds import KINDS
from operator_cli.exits import Exit
from tests.operator_cli.auditing import audited, site_file
from tests.operator_cli.conftest import Tresor
from tests.operator_cli.crowd import crowd
from tests.operator_cli.wrong_cloud import Wrong
from twin.testing import RunningTwin

ELSEWHERE = {"rule-unclear", "agent-linuxbridge", "agent-down"}
"""What the twin's Neutron, as the real one, refuses to hold: tested on the inventory itself."""


async def test_everything_that_is_wrong_is_found(tresor: Tresor, wrong: Wrong, tmp_path: Path) -> None:
    code, report, _ = await audited(tresor, wrong.twin, "--site", site_file(tmp_path))
    assert code == Exit.NEGATIVE
    told = {(each["kind"], each["resource_id"]) for each in report["findings"]}
    missing = {kind: resource for kind, resource in wrong.resources.items() if (kind, resource) not in told}
    assert not missing
    assert {kind.name for kind in KINDS} == wrong.resources.keys() | ELSEWHERE
    for finding in report["findings"]:
        assert finding["severity_id"] in range(1, 6)
        assert finding["why"]
        assert finding["rows"]
    severities = {
        each["kind"]: each["severity"]
        for each in report["findings"]
        if each["resource_id"] == wrong.resources[each["kind"]]
    }
    assert severities["world-open-admin"] == severities["floating-ip-open"] == "critical"
    assert severities["tenant-on-reserved-prefix"] == "critical"
    assert severities["port-dhcp-options"] == "high"
    assert [each["severity_id"] for each in report["findings"]] == sorted(
        (each["severity_id"] for each in report["findings"]), reverse=True
    )
    assert all(each["by_nature"] for each in report["not_judged"])


async def test_the_matrix_says_who_reaches_whom(tresor: Tresor, wrong: Wrong) -> None:
    _, report, _ = await audited(tresor, wrong.twin)
    certain = {(cell["from"], cell["to"]): cell["what"] for cell in report["matrix"] if cell["certain"]}
    assert "tcp 22" in certain["outside", "one"]
    assert ("one", "outside") in certain
    assert ("two", "one") in certain, "the visitor on the shared network"
    assert ("outside", "nobody") not in certain


async def test_nothing_is_written_ever(tresor: Tresor, wrong: Wrong, tmp_path: Path) -> None:
    """Every call that came in is a GET but the login."""
    seen = wrong.twin.requests(writes_only=False)
    before = seen[-1]["number"] if seen else 0
    await audited(tresor, wrong.twin, "--html", str(tmp_path / "report.html"))
    calls = wrong.twin.requests(before, writes_only=False)
    assert len(calls) > 15
    writes = {
        (call["method"], call["service"], call["path"]) for call in calls if call["method"] not in ("GET", "HEAD")
    }
    assert writes == {("POST", "keystone", "/v3/auth/tokens")}


async def test_a_group_is_minimised_straight_from_the_cloud(tresor: Tresor, wrong: Wrong) -> None:
    """By its id or name, by GET; nothing is changed."""
    where = ("--clouds", str(wrong.twin.clouds_file), "--cloud", "twin")
    before = wrong.twin.requests(writes_only=False)[-1]["number"]
    for name in ("messy", wrong.resources["group-not-least"]):
        ended = await tresor("policy", "minimise", name, *where, "-o", "json")
        assert ended.code == Exit.OK, ended.err
        (group,) = json.loads(ended.out)
        assert (group["group_id"], group["name"]) == (wrong.resources["group-not-least"], "messy")
        assert len(group["commands"]) == 2, "a repeat and a shadowed rule"
    assert (await tresor("policy", "minimise", "nobody-at-all", *where)).code == Exit.NEGATIVE
    assert {call["service"] for call in wrong.twin.requests(before)} == {"keystone"}


async def test_713_servers_in_100_projects_within_a_minute_l25(
    tresor: Tresor, empty: RunningTwin, tmp_path: Path
) -> None:
    crowd(empty)
    began = time.monotonic()
    code, report, _ = await audited(tresor, empty, "--site", site_file(tmp_path), "--html", str(tmp_path / "r.html"))
    took_seconds = time.monotonic() - began
    assert code == Exit.OK, report["counts"]
    assert report["looked_at"]["ports"] > 713
    assert report["looked_at"]["projects"] >= 100
    assert took_seconds < 60

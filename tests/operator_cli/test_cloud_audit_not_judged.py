"""What `tresor audit` could not judge is said, and never called good: lists that fail, rights that lack, no login."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from operator_cli.exits import Exit
from tests.operator_cli.auditing import audited, site_file
from tests.operator_cli.conftest import Tresor
from tests.operator_cli.wrong_cloud import Wrong, connect
from twin.testing import RunningTwin

NO_CRITICAL_ON_AN_EMPTY_CLOUD = "nothing critical was found"


async def test_what_the_api_cannot_tell_is_never_called_good(tresor: Tresor, wrong: Wrong) -> None:
    _, report, _ = await audited(tresor, wrong.twin)
    not_judged = {each["what"]: each["why"] for each in report["not_judged"]}
    assert "live migration without isolate_vif (LP 1734320)" in not_judged
    assert any(what.startswith("tenant-on-reserved-prefix") for what in not_judged), "no site file was given"
    assert "tenant-on-reserved-prefix" not in {each["kind"] for each in report["findings"]}


async def test_a_cloud_without_fault_is_0_and_7_while_something_is_unjudged(
    tresor: Tresor, empty: RunningTwin, tmp_path: Path
) -> None:
    code, report, _ = await audited(tresor, empty, "--site", site_file(tmp_path))
    assert code == Exit.OK
    assert report["counts"]["critical"] == 0
    code, _, said = await audited(tresor, empty)
    assert code == Exit.NOT_JUDGED
    assert NO_CRITICAL_ON_AN_EMPTY_CLOUD in said


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "503", "service": "neutron", "path": ".*/rbac-policies.*"}, "shared-with-everybody"),
        ({"kind": "500", "service": "cinder"}, "attachment-mismatch"),
        ({"kind": "500", "service": "neutron", "path": ".*/ports.*"}, "port-unfiltered"),
    ],
)
async def test_a_list_that_fails_is_not_judged_and_not_good(
    tresor: Tresor, empty: RunningTwin, fault: dict[str, Any], kind: str, tmp_path: Path
) -> None:
    empty.faults(fault)
    code, report, _ = await audited(tresor, empty, "--site", site_file(tmp_path))
    assert code == Exit.NOT_JUDGED
    assert any(each["what"].startswith(f"{kind}:") for each in report["not_judged"])
    assert (report["matrix"] is None) == (kind == "port-unfiltered")


async def test_a_reader_of_one_project_judges_that_and_says_so(tresor: Tresor, wrong: Wrong, tmp_path: Path) -> None:
    cloud = connect(wrong.twin)
    project = cloud.identity.find_project("one")
    user = cloud.identity.create_user(name="auditor", password="for-the-test", domain_id="default")
    cloud.identity.assign_project_role_to_user(project, user, cloud.identity.find_role("reader"))
    entry = {
        "auth": {"auth_url": wrong.twin.auth_url, "username": "auditor", "password": "for-the-test", "project_name": "one",
                 "user_domain_name": "Default", "project_domain_name": "Default"},
        "region_name": "RegionOne",
    }  # fmt: skip
    path = tmp_path / "clouds.yaml"
    path.write_text(yaml.safe_dump({"clouds": {"reader": entry}}))
    before = wrong.twin.requests(writes_only=False)[-1]["number"]
    ended = await tresor("audit", "--clouds", str(path), "--cloud", "reader", "-o", "json")
    report = json.loads(ended.out)
    assert ended.code == Exit.NEGATIVE, "its own SSH is open to the world"
    assert report["looked_at"]["all_projects"] is False
    what = {each["what"]: each["why"] for each in report["not_judged"]}
    assert "other projects" in what
    assert any(name.startswith("agent-linuxbridge") and "list is empty" in why for name, why in what.items())
    assert any(name.startswith("group-of-no-project") for name in what)
    assert wrong.resources["world-open-admin"] in {each["resource_id"] for each in report["findings"]}
    assert {call["method"] for call in wrong.twin.requests(before)} == {"POST"}


async def test_a_login_that_is_refused_and_a_cloud_that_is_away(
    tresor: Tresor, empty: RunningTwin, tmp_path: Path
) -> None:
    document = {
        "clouds": {"twin": {**empty.clouds("twin"), "auth": {**empty.clouds("twin")["auth"], "password": "wrong"}}}
    }
    path = tmp_path / "clouds.yaml"
    path.write_text(yaml.safe_dump(document))
    ended = await tresor("audit", "--clouds", str(path), "--cloud", "twin")
    assert (ended.code, ended.out) == (Exit.NOT_PERMITTED, "")
    document["clouds"]["twin"]["auth"]["auth_url"] = "http://127.0.0.1:9/v3"
    path.write_text(yaml.safe_dump(document))
    ended = await tresor("audit", "--clouds", str(path), "--cloud", "twin")
    assert (ended.code, ended.out) == (Exit.UNREACHABLE, "")
    ended = await tresor("audit", "--clouds", str(path), "--cloud", "nobody")
    assert ended.code == Exit.USAGE

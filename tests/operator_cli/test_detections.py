"""`tresor detections` and `tresor findings ack|accept|resolve`, as an operator runs them."""

from datetime import timedelta
from pathlib import Path

from contracts.network_policy import DriftDetected
from contracts.security_monitor import FindingRaised
from security_monitor.handlers import handlers
from security_monitor.main import make_context
from security_monitor.settings import Settings
from security_monitor.store.rule_files import SHIPPED
from shared.testing import Site
from tests.operator_cli.conftest import Tresor

RULE = SHIPPED / "world-open.yaml"


async def test_a_rules_tests_are_run_without_any_service(tresor: Tresor, tmp_path: Path) -> None:
    ended = await tresor("detections", "test", str(RULE))
    assert (ended.code, ended.err.strip()) == (0, "3 tests hold")
    failing = tmp_path / "failing.yaml"
    failing.write_text(RULE.read_text().replace("finds: 2", "finds: 3"))
    ended = await tresor("detections", "test", str(RULE), str(failing))
    assert ended.code == 1
    assert "2 found instead of 3" in ended.out
    assert "1 of 6 tests do not hold" in ended.err


async def test_what_is_no_rule_is_shown_with_its_line(tresor: Tresor, tmp_path: Path) -> None:
    text = RULE.read_text().replace("condition: made and", "condition: mad and")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text)
    line = next(number for number, each in enumerate(text.splitlines(), 1) if "condition: mad" in each)
    ended = await tresor("detections", "test", str(wrong))
    assert ended.code == 2
    assert f"{wrong}:{line}:" in ended.err
    assert "there is no selection 'mad'" in ended.err
    missing = await tresor("detections", "test", str(tmp_path / "none.yaml"))
    assert missing.code == 2


async def test_rules_and_findings_of_a_running_service(site: Site, operator: Tresor) -> None:
    await site.start(handlers, make_context, Settings)
    listed = await operator("detections", "list", "--output", "json")
    assert listed.code == 0
    assert '"world-open"' in listed.out
    shown = await operator("detections", "show", "world-open")
    assert shown.out == RULE.read_text()
    assert (await operator("detections", "show", "no-such-rule")).code == 1
    await site.tell(DriftDetected.model_validate(DriftDetected.example))
    finding = (await site.tap.until(FindingRaised)).finding
    officer = {"TRESOR_SIGNING_KEY_PATH": str(site.keys.path("sam"))}
    given = (finding.finding_id, "--note", "a planned change")
    ended = await operator("findings", "accept", *given, "--until", "2020-01-01", **officer)
    assert ended.code == 3
    assert "does not lie within the coming" in ended.err
    assert (await operator("findings", "--check")).code == 1
    later = ("--until", f"{site.clock.now() + timedelta(days=30):%Y-%m-%d}")
    ended = await operator("findings", "accept", *given, *later, **officer)
    assert ended.code == 0, ended.err
    assert (await operator("findings", "--check")).code == 0
    assert "accepted by sam" in (await operator("findings")).out
    ended = await operator("findings", "ack", *given)
    assert ended.code == 6, "an operator's key does not change findings"
    ended = await operator("findings", "resolve", *given, **officer)
    assert ended.code == 0, ended.err
    assert (await operator("findings", "resolve", "no-such-finding", "--note", "over", **officer)).code == 1
    for wrong in (("ack", finding.finding_id), ("ack", *given, *later), ("accept", *given), ("look", *given)):
        assert (await operator("findings", *wrong, **officer)).code == 2

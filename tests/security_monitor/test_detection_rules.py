"""The rules that come with the service, and what is said of a rule that is none."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from bootstrap.places import CHECKOUT
from contracts.site import Site
from security_monitor.domain.detections import BadRule, compiled, rule_of
from security_monitor.domain.detections.examples import run
from security_monitor.store.rule_files import SHIPPED, RuleFiles, load_file

RULES = sorted(SHIPPED.glob("*.yaml"))
SITE = Site(name="example")
PLAIN: dict[str, Any] = {
    "title": "A port goes",
    "id": "port-gone",
    "status": "test",
    "level": "low",
    "description": "Somebody deletes a port.",
    "logsource": {"product": "openstack"},
    "detection": {"gone": {"type": "port.delete.end"}, "condition": "gone"},
    "finding": {"title": "Port {resource.id} is gone", "cause": "by {user}"},
    "response": ["Look."],
    "tests": [
        {"name": "gone", "stream": [{"type": "port.delete.end", "payload": {"port_id": "p"}}], "finds": 1},
        {"name": "made", "stream": [{"type": "port.create.end", "payload": {"port": {"id": "p"}}}], "finds": 0},
    ],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The plain rule with that field set; None takes it away."""
    made: dict[str, Any] = yaml.safe_load(yaml.safe_dump(PLAIN))
    *way, last = path.split(".")
    inner = made
    for step in way:
        inner = inner[step]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return made


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_a_shipped_rule_finds_what_its_tests_say(path: Path) -> None:
    rule, _ = load_file(path)
    assert rule.id == path.stem
    assert [each for each in run(rule) if each.why] == []


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_the_tests_of_a_shipped_rule_can_fail(path: Path) -> None:
    """One that finds nothing, whatever comes, fails each test that expects a finding."""
    rule, _ = load_file(path)
    blind = {name: {"type": "no.such.type"} for name in rule.detection if name != "condition"}
    blinded = rule.model_copy(update={"detection": {**rule.detection, **blind}})
    assert [bool(each.why) for each in run(blinded)] == [each.finds > 0 for each in rule.tests]


def test_shipped_rules_load_together() -> None:
    files = RuleFiles(SITE)
    assert len(files.loaded) == len(RULES) > 30
    assert all("the site file says no" in each.compiled.idle for each in files.loaded.values() if each.compiled.idle)


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("detection.condition", "gone and missing", "there is no selection 'missing'"),
        ("detection.condition", "gone and", "ends too early"),
        ("detection.condition", "(gone", "ends too early"),
        ("detection.condition", "not gone", "no type of message is named"),
        ("detection.gone", {"typ": "port.delete.end"}, "there is no field 'typ'"),
        ("detection.gone", {"type": "port.*"}, "a type is given in full"),
        ("detection.gone", {"type": "port.delete.end", "address|cidr": "10.0.0.1/8"}, "has host bits set"),
        ("detection.gone", {"type": "port.delete.end", "user|like": "x"}, "there is no modifier 'like'"),
        ("detection.gone", {"type": "port.delete.end", "resource.securty": "x"}, "has a field 'securty'"),
        ("detection.gone", {"type": "port.delete.end", "user": "%friends%"}, "there is no list 'friends'"),
        ("finding.title", "{nobody} did it", "there is no field 'nobody'"),
        ("finding.life", "long", "'open' or 'occurrence'"),
        ("level", "grave", "'low'"),
        ("tests", PLAIN["tests"][:1], "at least 2"),
        ("detections", {}, "Extra inputs"),
        ("correlation", {"type": "event_count", "group-by": ["user"], "timespan": "10m"}, "takes a condition"),
        ("correlation", {"type": "event_count", "group-by": ["user"], "timespan": "soon"}, "a span of time"),
    ],
)
def test_a_rule_that_is_none_is_refused(tmp_path: Path, path: str, value: Any, complaint: str) -> None:
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(changed(path, value)))
    files = RuleFiles(SITE, tmp_path)
    files.refresh()
    assert complaint in files.refused
    assert files.refused.startswith("mine.yaml, line ")
    assert len(files.loaded) == len(RULES)


def test_the_line_of_what_is_wrong_is_said(tmp_path: Path) -> None:
    text = (SHIPPED / "world-open.yaml").read_text().replace("id: world-open", "id: open").splitlines()
    wrong = next(number for number, line in enumerate(text, 1) if "resource.direction" in line)
    text[wrong - 1] = text[wrong - 1].replace("resource.direction", "resource.direktion")
    (tmp_path / "mine.yaml").write_text("\n".join(text))
    files = RuleFiles(SITE, tmp_path)
    files.refresh()
    assert files.refused.startswith(f"mine.yaml, line {wrong}: detection.made.resource.direktion: ")


def test_findings_are_not_looked_at() -> None:
    rule = changed("detection.gone", {"type": "security-monitor.finding.raised"})
    rule["logsource"] = {"product": "tresor"}
    with pytest.raises(BadRule, match="a rule would find what it found"):
        compiled(rule_of(rule), SITE)


def test_a_file_of_the_site_switches_a_shipped_rule_off(tmp_path: Path) -> None:
    rule = {**PLAIN, "id": "world-open", "status": "unsupported"}
    (tmp_path / "off.yaml").write_text(yaml.safe_dump(rule))
    files = RuleFiles(SITE, tmp_path)
    files.refresh()
    assert files.refused == ""
    assert files.loaded["world-open"].compiled.idle == "its status is unsupported"
    assert not files.rules.of("openstack", "security_group_rule.create.end")


def test_the_rule_of_the_page_holds(tmp_path: Path) -> None:
    page = (CHECKOUT / "docs" / "detections.md").read_text()
    path = tmp_path / "router-deleted.yaml"
    path.write_text(page.split("```yaml\n")[1].split("```")[0])
    rule, _ = load_file(path)
    assert [each.why for each in run(rule)] == ["", ""]

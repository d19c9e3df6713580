"""The policy's part of a plan as it is shown, and what `tresor policy apply` refuses before anything is sent."""

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from contracts.network_policy import PolicyPlanned
from operator_cli.exits import Exit, Stop
from operator_cli.policy import planning


def planned(**changes: Any) -> PolicyPlanned:
    return PolicyPlanned.model_validate({**PolicyPlanned.example, **changes})


def shown(capsys: pytest.CaptureFixture[str], answer: PolicyPlanned) -> str:
    planning.show_plan(answer)
    found = capsys.readouterr()
    assert not found.err, "all of it is the answer, for a pipe too"
    return found.out


def test_a_plan_names_rules_packets_and_its_digest(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, planned())
    assert "tcp 22" in text
    assert "possible" in text
    assert "192.0.2.16/28" in text
    assert "ports concerned: 1" in text
    assert "it loosens" in text
    assert f"plan {PolicyPlanned.example['plan']}" in text


def test_rules_without_packets_and_nothing_at_all_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, planned(packets=[], loosens=False))
    assert "No packet changes" in text
    assert "it loosens nothing" in text
    nothing = shown(capsys, planned(packets=[], loosens=False, roles=[], steps=0))
    assert "No rule would change." in nothing
    assert "packet" not in nothing


def test_what_does_not_fit_into_the_answer_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    group = {**PolicyPlanned.example["roles"][0], "group": "create", "group_id": None, "stateful": False, "added": 7}
    text = shown(capsys, planned(roles=[group], more_packets=3))
    assert "and 6 more rules" in text
    assert "and 3 more sets of packets" in text
    assert "group of login would be made, stateless" in text


@pytest.mark.parametrize(
    ("rule", "words", "end"),
    [
        ({"protocol": None}, "any", "anywhere"),
        ({"protocol": "50", "remote_ip_prefix": "198.51.100.9/32"}, "50", "198.51.100.9/32"),
        ({"protocol": "icmp", "port_range_min": 8}, "icmp type 8", "anywhere"),
        ({"protocol": "udp", "port_range_min": 60, "port_range_max": 70}, "udp 60-70", "anywhere"),
    ],
)
def test_rules_in_words(rule: dict[str, Any], words: str, end: str) -> None:
    told = planned(
        roles=[
            {
                **PolicyPlanned.example["roles"][0],
                "rules": [{"action": "add", "rule": {"direction": "egress", "ethertype": "IPv4", **rule}}],
            }
        ]
    ).roles[0].rules[0]  # fmt: skip
    assert (planning.traffic(told), planning.far_end(told)) == (words, end)


def test_what_is_no_digest_is_refused_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    from contracts.examples import DOCUMENT
    from contracts.workspace import Workspace

    document = Workspace.model_validate(DOCUMENT)
    monkeypatch.setattr("operator_cli.workspaces.read_document", lambda _: (document, None))
    app = typer.Typer()
    app.command()(planning.apply)
    ended = CliRunner().invoke(app, ["-f", "x.yaml", "--plan", "nonsense"])
    assert isinstance(ended.exception, Stop)
    assert ended.exception.code is Exit.USAGE
    assert "no plan's digest" in str(ended.exception)

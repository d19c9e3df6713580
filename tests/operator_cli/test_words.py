"""Every event of every owner has words of its own, and shows on the board."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.catalog import MESSAGES
from contracts.envelope import Event
from contracts.network_policy import Rule
from contracts.outbox import OutboxHead, ResendEvents
from operator_cli.board import Board
from operator_cli.isolation import prefix_names
from operator_cli.sentences import rule_words, seconds, sentence
from shared.settings import load_site
from tests.operator_cli.conftest import TRESOR

EVENTS = sorted(
    (kind for kind in MESSAGES.values() if issubclass(kind, Event) and not issubclass(kind, OutboxHead | ResendEvents)),
    key=lambda kind: kind.type,
)
BEGAN = datetime(2026, 11, 21, 10, tzinfo=UTC)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.type)
def test_each_event_has_words_of_its_own(kind: type[Event], capsys: pytest.CaptureFixture[str]) -> None:
    message = kind.model_validate(kind.example)
    said = sentence(message).text
    assert said != kind.type.partition(".")[2].replace(".", " "), "these are only the words of its type"
    with Board("title", BEGAN, effects=True) as board:
        board.hear(message, BEGAN + timedelta(seconds=1.5))
    shown = capsys.readouterr().out
    assert "1.5 s" in shown
    assert said.split("\n")[0][:40] in shown


def test_bookkeeping_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    head = MESSAGES["storage.outbox.head"]
    with Board("title", BEGAN) as board:
        board.hear(head.model_validate(head.example), BEGAN)
    assert capsys.readouterr().out == "title\n"


def test_markup_in_what_others_say_is_only_text(capsys: pytest.CaptureFixture[str]) -> None:
    failed = MESSAGES["provisioner.node.failed"]
    message = failed.model_validate({**failed.example, "fault": "[bold]no[/bold] [/] host"})
    with Board("title", BEGAN) as board:
        board.hear(message, BEGAN)
    assert "[bold]no[/bold] [/] host" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}, "ingress tcp/22 from 0.0.0.0/0"),
        ({"protocol": "udp", "port_range_min": 1, "port_range_max": 9, "remote_ip_prefix": "10.0.0.0/8"}, "ingress udp/1-9 from 10.0.0.0/8"),
        ({"direction": "egress", "ethertype": "IPv6"}, "egress any protocol to ::/0"),
        ({"protocol": "icmp", "remote_group_id": "g"}, "ingress icmp from g"),
    ],
)  # fmt: skip
def test_a_rule_in_words(rule: dict[str, object], words: str) -> None:
    assert rule_words(Rule.model_validate({"direction": "ingress", "ethertype": "IPv4", **rule})) == words


def test_durations_are_readable() -> None:
    assert [seconds(value) for value in (0.0123, 0.9994, 1.5, 12.4)] == ["12 ms", "999 ms", "1.50 s", "12 s"]


def test_places_are_called_as_the_site_file_calls_them() -> None:
    site = load_site(TRESOR.parents[2] / "deploy" / "demo" / "site.yaml")
    names = prefix_names(site)
    assert names["192.0.2.16/28"] == "site:jumphosts"
    assert names["169.254.169.254/32"] == "metadata service"

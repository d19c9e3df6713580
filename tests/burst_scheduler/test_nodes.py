"""Which nodes are wanted, whatever Slurm asks and how often."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from burst_scheduler.domain.nodes import Change, Demand, let_all_go, let_go, resume
from contracts.burst_scheduler import NodeJob, NodesRefused, NodesReleased, NodesWanted, ResumeNodes
from contracts.examples import WORKSPACE
from contracts.workspace import Burst

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
PATIENCE = timedelta(minutes=10)
POOL = Burst(role="compute", provider="local", max_nodes=4, budget_per_month=500)
Ledger = dict[str, Demand]


def asked(nodes: str, *jobs: tuple[int, str], ago: timedelta = timedelta()) -> ResumeNodes:
    waiting = tuple(NodeJob(job_id=job_id, nodes=names) for job_id, names in jobs)
    return ResumeNodes(workspace=WORKSPACE, nodes=nodes, jobs=waiting, asked_at=NOW - ago)


def resumed(ledger: Ledger, message: ResumeNodes, pool: Burst | None = POOL) -> Change:
    change = resume(WORKSPACE, pool, ledger, message, NOW, PATIENCE)
    ledger.update({one.name: one for one in change.changed})
    return change


def suspended(ledger: Ledger, nodes: str) -> Change:
    change = let_go(WORKSPACE, ledger, nodes, "suspended", NOW)
    ledger.update({one.name: one for one in change.changed})
    return change


def wanted(ledger: Ledger) -> set[str]:
    return {name for name, one in ledger.items() if one.state == "wanted"}


def test_a_node_lives_again_under_a_new_generation() -> None:
    ledger: Ledger = {}
    (told,) = resumed(ledger, asked("cloud[1-2]", (42, "cloud[1-2]"))).events
    assert isinstance(told, NodesWanted)
    assert [(n.name, n.generation, n.job_ids) for n in told.nodes] == [("cloud1", 1, (42,)), ("cloud2", 1, (42,))]
    (gone,) = suspended(ledger, "cloud1").events
    assert isinstance(gone, NodesReleased)
    assert [(n.name, n.generation) for n in gone.nodes] == [("cloud1", 1)]
    (again,) = resumed(ledger, asked("cloud1")).events
    assert isinstance(again, NodesWanted)
    assert [(n.name, n.generation, n.job_ids) for n in again.nodes] == [("cloud1", 2, ())]


def test_a_call_that_comes_twice_does_what_it_does_once() -> None:
    ledger: Ledger = {}
    resumed(ledger, asked("cloud[1-2]"))
    assert resumed(ledger, asked("cloud[1-2]")) == Change([], [])
    suspended(ledger, "cloud[1-2]")
    assert suspended(ledger, "cloud[1-2],never-seen") == Change([], [])


def test_a_job_gets_all_of_its_nodes_or_none() -> None:
    """Three of four are taken: the job that wants two gets none, a later one that wants one gets it."""
    ledger: Ledger = {}
    resumed(ledger, asked("cloud[1-3]"))
    change = resumed(ledger, asked("cloud[4-6]", (7, "cloud[4-5]"), (8, "cloud6")))
    told, refused = change.events
    assert isinstance(told, NodesWanted)
    assert isinstance(refused, NodesRefused)
    assert [n.name for n in told.nodes] == ["cloud6"]
    assert (refused.nodes, refused.job_ids) == (("cloud4", "cloud5"), (7,))
    assert "4 nodes" in refused.problem.reason
    assert change.problems == ()


def test_a_job_may_hold_nodes_that_are_up_already() -> None:
    ledger: Ledger = {}
    resumed(ledger, asked("cloud[1-3]"))
    change = resumed(ledger, asked("cloud4", (7, "cloud[1-4]")))
    assert [one.name for one in change.changed] == ["cloud4"]


def test_what_is_refused_wholly_is_a_refused_command() -> None:
    nothing = resumed({}, asked("cloud1", (7, "cloud1")), pool=None)
    assert nothing.problems
    assert [type(one) for one in nothing.events] == [NodesRefused]
    late = resumed({}, asked("cloud1", ago=PATIENCE + timedelta(seconds=1)))
    assert late.problems[0].field == "asked_at"
    assert not late.changed
    full = resumed({}, asked("cloud[1-5]", (7, "cloud[1-5]")))
    assert full.problems
    assert not full.changed
    for text in ("cloud[1-", "cloud[1-100000]"):
        assert resumed({}, asked(text)).problems[0].field == "nodes"
        assert let_go(WORKSPACE, {}, text, "suspended", NOW).problems


def test_nodes_go_to_the_provider_that_made_them() -> None:
    """The document named another provider meanwhile."""
    ledger: Ledger = {}
    resumed(ledger, asked("cloud1"))
    resumed(ledger, asked("cloud2"), pool=POOL.model_copy(update={"provider": "elsewhere"}))
    gone = let_all_go(WORKSPACE, ledger, NOW).events
    assert {event.provider for event in gone if isinstance(event, NodesReleased)} == {"local", "elsewhere"}


def test_a_thousand_nodes_are_one_decision_and_bounded_events() -> None:
    pool = POOL.model_copy(update={"max_nodes": 4096})
    ledger: Ledger = {}
    change = resumed(ledger, asked("cloud[1-2500]", *((job, f"cloud{job}") for job in range(1, 2001))), pool)
    told = [event for event in change.events if isinstance(event, NodesWanted)]
    assert [len(event.nodes) for event in told] == [1000, 1000, 500]
    assert all(len(event.model_dump_json()) < 200_000 for event in told)
    assert len(wanted(ledger)) == 2500


def test_a_time_without_its_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        ResumeNodes.model_validate({"workspace": WORKSPACE, "nodes": "cloud1", "asked_at": "2026-11-21T10:00:00"})


def test_jobs_that_name_very_many_nodes_take_no_time() -> None:
    """Two thousand jobs of all nodes each are eight million names."""
    pool = POOL.model_copy(update={"max_nodes": 4096})
    message = asked("cloud[1-4096]", *((job, "cloud[1-4096]") for job in range(2000)))
    began = time.process_time()
    assert len(resumed({}, message, pool).changed) == 4096
    assert time.process_time() - began < 1.0


calls = st.lists(st.tuples(st.sampled_from(["resume", "suspend"]), st.sets(st.integers(1, 6), min_size=1)), max_size=12)


@given(calls)
def test_the_pool_is_never_exceeded_and_every_life_is_ended_once(given_calls: list[tuple[str, set[int]]]) -> None:
    ledger: Ledger = {}
    lives: dict[tuple[str, int], int] = {}
    for what, numbers in given_calls:
        names = ",".join(f"cloud{number}" for number in sorted(numbers))
        change = resumed(ledger, asked(names)) if what == "resume" else suspended(ledger, names)
        for event in change.events:
            if isinstance(event, NodesWanted):
                for node in event.nodes:
                    assert (node.name, node.generation) not in lives
                    lives[node.name, node.generation] = 0
            elif isinstance(event, NodesReleased):
                for gone in event.nodes:
                    lives[gone.name, gone.generation] += 1
        assert len(wanted(ledger)) <= POOL.max_nodes
    assert all(ended == (0 if ledger[name].generation == generation and name in wanted(ledger) else 1)
               for (name, generation), ended in lives.items())  # fmt: skip

"""From what is to what should be: the steps, their order, and that they come to an end."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.domain import desired as wants
from storage.domain.access import AccessRule
from storage.domain.observed import Observed, ObservedShare, ObservedVolume, Recorded
from storage.domain.plan import plan, release
from storage.domain.steps import (
    AllowAccess,
    CreateShare,
    CreateVolume,
    DeleteShare,
    DeleteVolume,
    DenyAccess,
    ExtendShare,
    Plan,
    SetLimits,
)
from tests.storage.samples import NAME, SITE, PlainCloud, document, rule, share, shares, told, volume

HOME = {"name": "home", "size_gib": 100, "access": {"login": "rw", "compute": "ro"}}
HOME_RULES = (rule("openhpc_login", "rw"), rule("openhpc_compute", "ro"))
HOME_TOLD = ("cephx:openhpc_compute ro", "cephx:openhpc_login rw")


def planned(observed: Observed, *recorded: Recorded, **home: object) -> Plan:
    wanted = wants.desired(shares({**HOME, **home}), 2, SITE)
    return plan(wanted, observed, {(each.kind, each.cloud_name): each for each in recorded})


def test_from_nothing_to_ready() -> None:
    """I8, L1: create, then access, then settled; a second look plans nothing."""
    cloud = PlainCloud()
    wanted = wants.desired(document(), 1, SITE)
    rounds = 0
    while not (made := plan(wanted, cloud.observe(), {})).is_settled:
        assert not made.problems
        for step in made.steps:
            cloud.make(step)
        cloud.settle()
        rounds += 1
        assert rounds < 5
    assert sorted(each.name for each in cloud.shares.values()) == ["openhpc-home", "openhpc-scratch"]
    assert len(cloud.volumes) == 5
    assert {str(each.rule) for share in cloud.shares.values() for each in share.rules} == {
        "cephx:openhpc_login rw",
        "cephx:openhpc_compute rw",
    }
    assert cloud.limits == {"share": {"shares": 2, "gigabytes": 1100}, "volume": {"volumes": 5, "gigabytes": 50}}
    first = [type(step) for step in cloud.made]
    assert first.index(SetLimits) < first.index(CreateShare) < first.index(AllowAccess)
    assert all(dict(step.metadata)["tresor_workspace"] == NAME for step in cloud.made if isinstance(step, CreateShare))


def test_what_a_lost_response_made_is_adopted() -> None:
    """Invariant I2: found by name and mark, never made twice."""
    made = planned(Observed(shares=(share(rules=HOME_RULES),)))
    assert made.is_settled
    assert made.kept["share", "openhpc-home"].resource_id == "home-id"


def test_the_later_of_two_is_deleted_while_nobody_knows_of_either() -> None:
    twice = Observed(
        shares=(share(share_id="b", created_at="2026-01-02"), share(share_id="a", created_at="2026-01-01"))
    )
    made = planned(twice)
    assert [step.share_id for step in made.steps if isinstance(step, DeleteShare)] == ["b"]


def test_a_restored_copy_beside_a_told_share_is_left_alone() -> None:
    first = share(rules=HOME_RULES)
    made = planned(Observed(shares=(first, share(share_id="copy"))), told(first, *HOME_TOLD))
    assert made.is_settled


def test_a_stranger_of_the_same_name_is_not_taken() -> None:
    made = planned(Observed(shares=(share(metadata={}),)))
    assert not made.steps
    assert "tresor_workspace" in made.problems[0].remedy


def test_what_held_data_and_vanished_is_not_replaced_by_an_empty_one() -> None:
    made = planned(Observed(), told(share(), *HOME_TOLD))
    assert not [step for step in made.steps if isinstance(step, CreateShare)]
    assert made.problems[0].field == "storage.shares.0"
    assert made.vanished == [("share", "openhpc-home")]


def test_growth_extends_and_shrinking_is_refused() -> None:
    """I8."""
    current = share(rules=HOME_RULES)
    record = told(current, *HOME_TOLD)
    (step,) = planned(Observed(shares=(current,)), record, size_gib=150).steps
    assert isinstance(step, ExtendShare)
    assert step.size_gib == 150
    (problem,) = planned(Observed(shares=(current,)), record, size_gib=50).problems
    assert problem.field == "storage.shares.0.size_gib"
    assert "100" in problem.remedy


def test_a_share_of_another_kind_is_a_problem_not_a_replacement() -> None:
    made = planned(Observed(shares=(share(share_type="slow", rules=HOME_RULES),)))
    assert not made.steps
    assert "can't be changed" in made.problems[0].remedy


def test_a_rogue_rule_is_denied_before_anything_else_and_marked_as_tightening() -> None:
    made = planned(Observed(shares=(share(rules=(*HOME_RULES[:1], rule("mallory"))),)))
    assert isinstance(made.steps[0], DenyAccess)
    assert made.steps[0].rule_id == "rule-mallory"
    assert isinstance(made.steps[1], AllowAccess)
    assert made.tightening() == made.steps[:1]


def test_a_level_changes_by_denying_first() -> None:
    """Manila has one rule for a subject, and rw must not outlive the change to ro."""
    current = share(rules=(rule("openhpc_login", "rw"), rule("openhpc_compute", "rw")))
    made = planned(Observed(shares=(current,)), told(current, "cephx:openhpc_compute rw", "cephx:openhpc_login rw"))
    assert [type(step) for step in made.steps] == [DenyAccess]
    assert made.tightening() == []
    going = replace(current, rules=(rule("openhpc_login", "rw"), rule("openhpc_compute", "rw", "denying")))
    waiting = planned(Observed(shares=(going,)))
    assert not waiting.steps
    assert waiting.waits
    gone = replace(current, rules=(rule("openhpc_login", "rw"),))
    (allow,) = planned(Observed(shares=(gone,))).steps
    assert isinstance(allow, AllowAccess)
    assert allow.rule == AccessRule("cephx", "openhpc_compute", "ro")


def test_a_rule_in_error_is_a_fault_and_made_anew() -> None:
    made = planned(Observed(shares=(share(rules=(HOME_RULES[0], rule("openhpc_compute", "ro", "error"))),)))
    assert [type(step) for step in made.steps] == [DenyAccess]
    assert made.faults[0].field == "storage.shares.0.access"


def test_a_share_in_error_is_made_anew_only_while_it_cannot_hold_data() -> None:
    broken = share(status="error")
    made = planned(Observed(shares=(broken,)))
    assert [type(step) for step in made.steps] == [DeleteShare]
    assert made.faults
    kept = planned(Observed(shares=(broken,)), told(broken, *HOME_TOLD))
    assert not kept.steps
    assert kept.problems


def test_what_the_document_dropped_goes_by_its_recorded_id_only() -> None:
    old, foreign = share("old"), share("other")
    made = planned(Observed(shares=(share(rules=HOME_RULES), old, foreign)), told(old))
    assert [step.share_id for step in made.steps if isinstance(step, DeleteShare)] == ["old-id"]


def test_a_renamed_share_is_still_the_recorded_one() -> None:
    """Tags and names are never authority: the recorded id is."""
    renamed = share(name="home", rules=HOME_RULES)
    moved = replace(renamed, name="something-else", metadata={})
    made = planned(Observed(shares=(moved,)), told(renamed, *HOME_TOLD))
    assert made.is_settled


def test_an_attached_volume_is_never_deleted() -> None:
    """CVE-2023-2088: Nova alone ends an attachment; what nobody wants any more waits, and readiness does not."""
    current = volume(status="in-use", attached_to=("server-1",))
    wanted = wants.desired(document(storage={}), 2, SITE)
    made = plan(wanted, Observed(volumes=(current,)), {("volume", current.name): told(current)})
    assert made.is_settled
    assert made.leftovers == ["data-0-id"]
    gone = release(NAME, Observed(volumes=(current,)), {})
    assert not gone.steps
    assert "server-1" in gone.waits[0]


def test_the_quota_leaves_room_for_what_has_not_gone_yet() -> None:
    left = volume("old-0", status="in-use", attached_to=("server-1",))
    wanted = wants.desired(document(storage={"volumes": [{"name": "data", "size_gib": 10, "role": "login"}]}), 2, SITE)
    observed = Observed(volumes=(left,), limits={"volume": {"volumes": 1, "gigabytes": 10}})
    made = plan(wanted, observed, {("volume", left.name): told(left)})
    (limits,) = [step for step in made.steps if isinstance(step, SetLimits)]
    assert dict(limits.limits) == {"volumes": 2, "gigabytes": 20}
    assert isinstance(made.steps[-1], CreateVolume)


def test_release_empties_the_project_and_stops_at_a_stranger() -> None:
    mine, stranger = share(), replace(share("other"), name="elsewhere", metadata={})
    made = release(NAME, Observed(shares=(mine, stranger), volumes=(volume(),)), {})
    assert {type(step) for step in made.steps} == {DeleteShare, DeleteVolume}
    assert "other-id" in made.faults[0].reason


STATUSES = st.sampled_from(["available", "creating", "deleting", "error", "extending"])
RULES = st.lists(
    st.builds(
        rule,
        st.sampled_from(["openhpc_login", "openhpc_compute", "mallory", "other_login"]),
        st.sampled_from(["rw", "ro"]),
        st.sampled_from(["active", "queued_to_apply", "denying", "error"]),
    ),
    max_size=4,
    unique_by=lambda each: each.rule.to,
).map(tuple)
SHARES = st.lists(
    st.builds(
        lambda name, status, rules, size, index, marked: share(
            name, share_id=f"{name}-{index}", status=status, rules=rules, size_gib=size,
            metadata={"tresor_workspace": NAME} if marked else {},
        ),
        st.sampled_from(["home", "scratch", "strange"]), STATUSES, RULES, st.integers(50, 100), st.integers(0, 9),
        st.booleans(),
    ),
    max_size=4,
    unique_by=lambda each: each.share_id,
)  # fmt: skip
VOLUMES = st.lists(
    st.builds(
        lambda index, status, attached, size: volume(
            f"data-{index}", volume_id=f"v-{index}-{status}", status=status, size_gib=size,
            attached_to=("server",) if attached and status == "available" else (),
        ),
        st.integers(0, 6), STATUSES, st.booleans(), st.integers(5, 10),
    ),
    max_size=5,
    unique_by=lambda each: each.volume_id,
)  # fmt: skip


def is_a_grant(wanted: wants.Desired, step: AllowAccess, shares: dict[str, ObservedShare]) -> bool:
    """Whether the document lets this subject use this very share."""
    return any(each.cloud_name == shares[step.share_id].name and step.rule in each.access for each in wanted.shares)


@settings(max_examples=300, deadline=None)
@given(SHARES, VOLUMES)
def test_from_anywhere_it_ends_and_gives_nobody_more_than_declared(
    some_shares: list[ObservedShare], some_volumes: list[ObservedVolume]
) -> None:
    """Level-based: whatever the cloud is in, looking and acting ends; nothing of a stranger is touched on the way."""
    wanted = wants.desired(document(), 1, SITE)
    cloud = PlainCloud(Observed(tuple(some_shares), tuple(some_volumes)))
    strange = {each.share_id for each in some_shares if not each.metadata}
    attached = {each.volume_id for each in some_volumes if each.attached_to}
    before: list[object] = []
    for _ in range(12):
        made = plan(wanted, cloud.observe(), {})
        if made.is_settled:
            break
        for step in made.steps:
            if isinstance(step, AllowAccess):
                assert is_a_grant(wanted, step, cloud.shares)
            if isinstance(step, DeleteShare | DenyAccess | ExtendShare):
                assert step.share_id not in strange
            if isinstance(step, DeleteVolume):
                assert step.volume_id not in attached
            cloud.make(step)
        cloud.settle()
        after = [cloud.observe(), made.problems, made.waits]
        if after == before:
            break
        before = after
    else:
        raise AssertionError(f"no end: {made}")
    asked = {each.cloud_name: each.access for each in wanted.shares}
    if made.is_settled:
        kept = {each.resource_id for each in made.kept.values()}
        for each in cloud.shares.values():
            if each.share_id in kept:
                assert {one.rule for one in each.rules} == set(asked[each.name])
        assert len(kept) == 7
    else:
        assert made.problems or made.waits


@settings(max_examples=100, deadline=None)
@given(SHARES, VOLUMES)
def test_release_ends_with_nothing_of_ours(
    some_shares: list[ObservedShare], some_volumes: list[ObservedVolume]
) -> None:
    cloud = PlainCloud(Observed(tuple(some_shares), tuple(some_volumes)))
    for _ in range(4):
        for step in release(NAME, cloud.observe(), {}).steps:
            cloud.make(step)
        cloud.settle()
    assert {each.share_id for each in cloud.shares.values()} == {
        each.share_id for each in some_shares if not each.metadata and each.status != "deleting"
    }
    assert {each.volume_id for each in cloud.volumes.values()} == {
        each.volume_id for each in some_volumes if each.attached_to
    }

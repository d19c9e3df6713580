"""The steps and their order: rows L5, L6, L12; invariant I7."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from network_policy.domain.compile import Policy
from network_policy.domain.confinement import QUARANTINE
from network_policy.domain.names import group_name
from network_policy.domain.plan import AddRules, CreateGroup, RemoveGroup, RemoveRule, Step, enclose, plan
from network_policy.domain.rule import Remote, RemoteKind, Rule
from network_policy.domain.world import Group, GroupRule
from tests.network_policy.enclaves import Enclave, document, rule

HERE = Enclave(document(), "p")
DEFAULTS = tuple(GroupRule(f"default-{ethertype}", "", rule("egress", ethertype)) for ethertype in ("IPv4", "IPv6"))


def actual(groups: Iterable[Group], recorded: dict[str, str] | None = None) -> tuple[Step, ...]:
    return plan(HERE.policy, enclose(HERE.policy, "p", tuple(groups), recorded or {}))


def fresh_group(role: str) -> Group:
    """As Neutron makes it: all egress permitted."""
    group = HERE.group(role)
    rules = tuple(GroupRule(f"{each.id}-{role}", group.id, each.rule) for each in DEFAULTS)
    return Group(group.id, group.name, "p", rules)


def test_nothing_to_do_when_all_is_as_declared() -> None:
    assert actual(HERE.groups) == ()


def test_from_nothing_groups_come_first() -> None:
    steps = actual([])
    assert steps[:2] == (CreateGroup("compute"), CreateGroup("login"))
    added: dict[str, set[Rule]] = {step.role: set() for step in steps if isinstance(step, AddRules)}
    for step in steps[2:]:
        assert isinstance(step, AddRules)
        added[step.role] |= set(step.rules)
    assert added == {role: set(rules) for role, rules in HERE.policy.roles.items()}


def test_dhcp_and_metadata_go_in_before_the_default_egress_goes_out_l6() -> None:
    steps = actual([fresh_group("login"), fresh_group("compute")])
    for role, boot in HERE.policy.boot.items():
        added_at = {
            each: position for position, step in enumerate(steps) if isinstance(step, AddRules) and step.role == role
            for each in step.rules
        }  # fmt: skip
        removed_at = [n for n, step in enumerate(steps) if isinstance(step, RemoveRule) and step.role == role]
        assert len(removed_at) == 2
        assert all(added_at[each] < min(removed_at) for each in boot)


def test_a_rogue_rule_is_removed_and_nothing_else() -> None:
    rogue = GroupRule("rogue", HERE.ids["login"], rule(protocol="tcp", port_range_min=22, port_range_max=22))
    groups = [HERE.group("login", [rogue]), HERE.group("compute")]
    assert actual(groups) == (RemoveRule("login", HERE.ids["login"], "rogue", rogue.rule),)


def test_tightening_goes_before_opening() -> None:
    group = HERE.group("compute")
    lost = next(each for each in group.rules if each.rule.direction == "ingress")
    rogue = GroupRule("rogue", group.id, rule(protocol="udp"))
    left = Group(group.id, group.name, "p", (*(each for each in group.rules if each != lost), rogue))
    kinds = [type(step) for step in actual([HERE.group("login"), left])]
    assert kinds == [RemoveRule, AddRules]


def test_a_narrower_rule_goes_in_before_the_wider_one_that_permits_it_goes_out() -> None:
    group = HERE.group("compute")
    ingress = [each for each in group.rules if each.rule.direction == "ingress"]
    wide = GroupRule("wide", group.id, rule("ingress").with_remote(Remote(RemoteKind.GROUP, HERE.ids["login"])))
    left = Group(group.id, group.name, "p", (*(each for each in group.rules if each not in ingress), wide))
    kinds = [type(step) for step in actual([HERE.group("login"), left])]
    assert kinds == [AddRules, RemoveRule]


def test_a_rule_that_is_there_twice_goes_once_l12() -> None:
    group = HERE.group("login")
    twin = GroupRule("zz-twin", group.id, group.rules[0].rule)
    assert list(actual([HERE.group("login", [twin]), HERE.group("compute")])) == [
        RemoveRule("login", group.id, "zz-twin", twin.rule)
    ]


def test_the_default_group_is_emptied_i6() -> None:
    inside = GroupRule("d1", "d", rule("ingress").with_remote(Remote(RemoteKind.GROUP, "d")))
    steps = actual([HERE.group("login"), HERE.group("compute"), Group("d", "default", "p", (inside,))])
    assert steps == (RemoveRule("", "d", "d1", inside.rule),)


def test_a_recorded_group_is_authority_and_a_name_only_adopts() -> None:
    login = HERE.group("login")
    impostor = Group("aaa", login.name, "p", ())
    found = enclose(HERE.policy, "p", (impostor, login, HERE.group("compute")), HERE.ids)
    assert found.managed["login"].id == login.id
    assert found.unmanaged == (impostor,)


def test_a_group_of_another_project_is_never_ours() -> None:
    login = HERE.group("login")
    foreign = Group(login.id, login.name, "other", login.rules)
    assert enclose(HERE.policy, "p", (foreign,), {"login": login.id}).managed == {}


def test_the_group_of_a_role_that_is_gone_is_emptied_then_deleted() -> None:
    gone = Group("g", "tresor-openhpc-gpu", "p", (GroupRule("r", "g", rule("egress")),))
    steps = actual([*HERE.groups, gone], {**HERE.ids, "gpu": "g"})
    assert steps == (RemoveRule("", "g", "r", gone.rules[0].rule), RemoveGroup("gpu", "g"))


some_rules = st.builds(
    lambda direction, protocol, port, remote: rule(
        direction, protocol=protocol, port_range_min=port if protocol else None, port_range_max=port if protocol else None
    ).with_remote(remote),
    st.sampled_from(["ingress", "egress"]),
    st.sampled_from([None, "tcp", "udp"]),
    st.sampled_from([22, 80, 6817]),
    st.sampled_from([Remote(RemoteKind.ANY), Remote(RemoteKind.PREFIX, "10.0.0.0/8"), Remote(RemoteKind.GROUP, HERE.ids["login"])]),
)  # fmt: skip


def applied(policy: Policy, groups: dict[str, list[GroupRule]], step: Step) -> None:
    """What Neutron does with a step."""
    if isinstance(step, AddRules):
        for position, each in enumerate(step.rules):
            remote = each.remote
            if remote.kind is RemoteKind.ROLE:
                remote = Remote(RemoteKind.GROUP, HERE.ids[remote.value])
            groups[step.role].append(GroupRule(f"new{position}", HERE.ids[step.role], each.with_remote(remote)))
    elif isinstance(step, RemoveRule) and step.role:
        groups[step.role] = [each for each in groups[step.role] if each.id != step.rule_id]


@given(
    st.lists(st.tuples(st.sampled_from(["login", "compute"]), some_rules), max_size=6),
    st.sets(st.integers(0, 20), max_size=8),
)
def test_from_anywhere_the_plan_arrives_and_never_opens_more_than_was_or_is_declared_i7(
    rogue: list[tuple[str, Rule]], lost: set[int]
) -> None:
    start: dict[str, list[GroupRule]] = {
        role: [each for position, each in enumerate(HERE.group(role).rules) if position not in lost]
        for role in HERE.policy.roles
    }
    for position, (role, each) in enumerate(rogue):
        start[role].append(GroupRule(f"rogue{position}", HERE.ids[role], each))

    def enclosed() -> tuple[Step, ...]:
        return actual(Group(HERE.ids[role], HERE.group(role).name, "p", tuple(rules)) for role, rules in start.items())

    before = {role: {each.rule for each in rules} for role, rules in start.items()}
    declared = {role: {each.rule for each in HERE.group(role).rules} for role in start}
    for step in enclosed():
        applied(HERE.policy, start, step)
        for role, rules in start.items():
            assert {each.rule for each in rules} <= before[role] | declared[role]
    assert enclosed() == ()
    assert {role: {each.rule for each in rules} for role, rules in start.items()} == declared


def test_quarantines_group_that_nobody_recorded_goes_when_there_is_no_quarantine() -> None:
    left = fresh_group("login")
    left = Group("q", group_name("openhpc", QUARANTINE), "p", left.rules)
    removed = [RemoveRule("", rule.group_id, rule.id, rule.rule) for rule in left.rules]
    assert actual([*HERE.groups, left]) == (*removed, RemoveGroup(QUARANTINE, "q"))

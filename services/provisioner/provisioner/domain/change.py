"""What a new document changes of the one in force, and which changes can be made in place."""

from collections.abc import Iterator

from contracts.envelope import Problem
from contracts.provisioner import PlannedChange
from contracts.workspace import NodeRole, Workspace
from provisioner.domain import names

FIXED_OF_A_ROLE = (
    "hardware",
    "flavor",
    "image",
    "networks",
    "keypair",
    "user_data",
    "vnic_type",
    "subports",
    "stateless",
)
"""A node is born with these; to change them would be to make it anew."""
_FIXED_OF_A_NETWORK = (
    ("network_class", "class"),
    ("cidr", "cidr"),
    ("cidr6", "cidr6"),
    ("routed", "routed"),
    ("segmentation", "segmentation"),
    ("segmentation_id", "segmentation_id"),
)


def problems(old: Workspace, new: Workspace) -> tuple[Problem, ...]:
    """Why the workspace can't be taken from the old document to the new one; empty when it can."""
    return (*_whole(old, new), *_networks(old, new), *_roles(old, new))


def nodes(old: Workspace | None, new: Workspace) -> Iterator[PlannedChange]:
    """The nodes that come, go and stay."""
    before = set() if old is None else {node.name for node in names.nodes(old)}
    after = {node.name: node for node in names.nodes(new)}
    for name, node in after.items():
        role = new.role(node.role)
        detail = f"{role.flavor}, {role.image}" if role is not None else ""
        yield PlannedChange(action="keep" if name in before else "create", kind="server", name=name, detail=detail)
    for name in sorted(before - set(after)):
        yield PlannedChange(action="delete", kind="server", name=name)


def sections(old: Workspace, new: Workspace) -> Iterator[PlannedChange]:
    """The sections other than roles and networks that differ."""
    for section in ("flows", "storage", "burst", "quotas", "owner", "affiliation", "expiry", "description"):
        if getattr(old, section) != getattr(new, section):
            yield PlannedChange(action="change", kind=section, name=new.name)


def _whole(old: Workspace, new: Workspace) -> Iterator[Problem]:
    if old.sensitivity is not new.sensitivity:
        yield Problem(
            field="sensitivity",
            reason=f"a workspace's sensitivity is settled at its creation ({old.sensitivity})",
            remedy="create another workspace and move the work there",
        )
    if old.burst is not None and (new.burst is None or new.burst.role != old.burst.role):
        yield Problem(
            field="burst",
            reason=f"the pool of role '{old.burst.role}' can't be taken away from a workspace that stands",
            remedy="set its budget_per_month to 0, or delete the workspace",
        )


def _networks(old: Workspace, new: Workspace) -> Iterator[Problem]:
    wanted = {network.name: (position, network) for position, network in enumerate(new.networks)}
    for network in old.networks:
        position, successor = wanted.get(network.name, (0, None))
        if successor is None:
            yield Problem(
                field="networks",
                reason=f"network '{network.name}' can't be taken away from a workspace that stands",
                remedy="keep it in the document, or create another workspace",
            )
            continue
        for field, alias in _FIXED_OF_A_NETWORK:
            if getattr(network, field) != getattr(successor, field):
                yield Problem(
                    field=f"networks.{position}.{alias}",
                    reason=f"'{alias}' of network '{network.name}' is settled at its creation "
                    f"({getattr(network, field)})",
                    remedy="add another network beside it, or create another workspace",
                )


def _roles(old: Workspace, new: Workspace) -> Iterator[Problem]:
    wanted = {role.name: (position, role) for position, role in enumerate(new.roles)}
    for role in old.roles:
        position, successor = wanted.get(role.name, (0, None))
        if successor is None:
            yield Problem(
                field="roles",
                reason=f"role '{role.name}' can't be taken away from a workspace that stands",
                remedy="set its count to 0",
            )
            continue
        yield from _role(position, role, successor)


def _role(position: int, old: NodeRole, new: NodeRole) -> Iterator[Problem]:
    for field in FIXED_OF_A_ROLE:
        if getattr(old, field) != getattr(new, field):
            was = getattr(old, field)
            told = (
                "" if field in ("user_data", "subports") else f" ({', '.join(was) if isinstance(was, tuple) else was})"
            )
            yield Problem(
                field=f"roles.{position}.{field}",
                reason=f"'{field}' of role '{old.name}' is settled when its nodes are made{told}",
                remedy=f"add a role with the new {field}, and set the count of '{old.name}' to 0",
            )

"""Workspaces as they stand once enforced, for the tests of plans."""

from dataclasses import replace

from contracts.site import Site
from contracts.workspace import Workspace
from network_policy.domain.drift import Nodes
from network_policy.domain.preview import Standing
from network_policy.domain.prospect import prospect
from network_policy.domain.world import World
from tests.network_policy.enclaves import ROUTED

SITES = {kind: Site.model_validate({**ROUTED.model_dump(mode="json", by_alias=True), "far_ends": kind})
         for kind in ("group", "address-group")}  # fmt: skip


def standing_of(made: Workspace, where: Site = ROUTED) -> tuple[World, Standing]:
    """The workspace as it stands once enforced, its address groups called as they are in Neutron."""
    world, claim = prospect(made, where)
    groups = tuple(replace(each, name=each.id) for each in world.address_groups)
    recorded = dict(claim.group_ids)
    known = Standing(claim.project_id, 1, recorded, Nodes(claim.port_roles))
    return replace(world, address_groups=groups), known

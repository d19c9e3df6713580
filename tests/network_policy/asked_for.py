"""Documents and sites of the tests of what a document may ask for."""

from typing import Any

from contracts.documents import problems
from contracts.examples import DOCUMENT
from contracts.site import Site
from contracts.workspace import Workspace
from network_policy.domain.compile import compile_policy
from network_policy.domain.rule import Remote, RemoteKind, Rule
from tests.network_policy.enclaves import SITE

LOGIN = Remote(RemoteKind.ROLE, "login")
COMPUTE = Remote(RemoteKind.ROLE, "compute")
CLUSTER: dict[str, Any] = {"name": "cluster", "class": "private", "cidr": "10.42.0.0/24"}
DATA: dict[str, Any] = {"name": "data", "class": "private", "cidr": "10.43.0.0/24"}


def site(**changes: Any) -> Site:
    """The tests' site, which has shares, with some fields changed."""
    made = SITE.model_dump(mode="json", by_alias=True)
    return Site.model_validate({**made, "share_types": {"CEPHFS": "cephfs"}, **changes})


def roles(**changes: dict[str, Any]) -> list[dict[str, Any]]:
    """The example's roles with some fields of each changed."""
    return [{**each, **changes.get(each["name"], {})} for each in DOCUMENT["roles"]]


def compiled(made: Workspace, where: Site) -> dict[str, set[Rule]]:
    """The rules of each role beyond those without any flow."""
    bare = compile_policy(made.model_copy(update={"flows": ()}), where)
    return {name: set(rules - bare.roles[name]) for name, rules in compile_policy(made, where).roles.items()}


def found(made: Workspace, where: Site) -> list[tuple[str, str]]:
    """The field and the reason of each problem."""
    return [(each.field, each.reason) for each in problems(made, where)]

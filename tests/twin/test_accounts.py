"""Who may do what: tokens, their end, projects kept apart."""

import openstack.exceptions
import pytest

from tests.lab.cloud import Sdk
from tests.twin.conftest import connect
from twin.settings import SERVICE_USERS
from twin.testing import RunningTwin


def member_of(twin: RunningTwin, admin: Sdk, name: str) -> Sdk:
    """A new project with a new member in it, and that member's connection."""
    project = admin.identity.create_project(name=name, domain_id="default")
    user = admin.identity.create_user(name=name, password="pw", domain_id="default")
    admin.identity.assign_project_role_to_user(project, user, admin.identity.find_role("member"))
    return connect(twin, username=name, password="pw", project_name=name)


@pytest.mark.parametrize("user", ["twin", "lab", *SERVICE_USERS])
def test_the_seeded_accounts_are_administrators(twin: RunningTwin, user: str) -> None:
    """Each entry of the clouds file logs in, and may list all projects."""
    names = {project.name for project in connect(twin, user).identity.projects()}
    assert names == {"admin", "service"}


def test_a_wrong_password_is_401(twin: RunningTwin) -> None:
    """And says nothing of whether the user exists."""
    messages = []
    for name in ("admin", "nobody"):
        with pytest.raises(openstack.exceptions.SDKException, match="HTTP 401") as refused:
            connect(twin, username=name, password="wrong").authorize()
        messages.append(str(refused.value).partition("(HTTP")[0])
    assert messages[0] == messages[1]


def test_a_token_expires(twin: RunningTwin) -> None:
    """A day later the old token is refused; the SDK fetches another by itself."""
    admin = connect(twin)
    old = admin.session.get_token()
    assert old is not None
    twin.advance(86_401)
    answer = admin.session.get(
        f"{twin.base_url}/network/v2.0/networks", headers={"X-Auth-Token": old}, authenticated=False, raise_exc=False
    )
    assert answer.status_code == 401
    assert [network.name for network in admin.network.networks()] == ["public"]
    assert admin.session.get_token() != old


def test_projects_see_only_their_own(twin: RunningTwin, admin: Sdk) -> None:
    """A foreign network, group, server, volume or share is not there at all: 404, and in no list."""
    one, other = member_of(twin, admin, "one"), member_of(twin, admin, "other")
    network = one.network.create_network(name="inner")
    group = one.network.create_security_group(name="inner")
    volume = one.block_storage.create_volume(name="inner", size=1)
    assert [found.name for found in other.network.networks()] == ["public"]
    assert [found.name for found in other.network.security_groups()] == ["default"]
    assert list(other.block_storage.volumes()) == []
    for get, thing in (
        (other.network.get_network, network),
        (other.network.get_security_group, group),
        (other.block_storage.get_volume, volume),
    ):
        with pytest.raises(openstack.exceptions.NotFoundException):
            get(thing.id)
    assert admin.network.get_network(network.id).project_id == one.current_project_id


def test_a_revoked_role_ends_the_token(twin: RunningTwin, admin: Sdk) -> None:
    """Roles are read at each use: the token of a user without a role on the project is good no more."""
    member = member_of(twin, admin, "short")
    token = member.session.get_token()
    project = admin.identity.find_project("short")
    user = admin.identity.find_user("short")
    admin.identity.unassign_project_role_from_user(project, user, admin.identity.find_role("member"))
    answer = admin.session.get(
        f"{twin.base_url}/network/v2.0/networks",
        headers={"X-Auth-Token": str(token)},
        authenticated=False,
        raise_exc=False,
    )
    assert answer.status_code == 401


def test_a_project_scoped_administrator_cannot_list_drivers(twin: RunningTwin, admin: Sdk) -> None:
    """Ironic's 500, as observed; the system scope may."""
    answer = admin.baremetal.get("/drivers", raise_exc=False)
    assert answer.status_code == 500
    assert [driver.name for driver in connect(twin, "twin-system").baremetal.drivers()] == ["fake-hardware"]


def test_a_rescoped_connection_works_in_another_project(twin: RunningTwin, admin: Sdk) -> None:
    """A service user with a role in a workspace's project makes things there."""
    project = admin.identity.create_project(name="tre-x", domain_id="default")
    user = admin.identity.find_user("tresor-provisioner")
    admin.identity.assign_project_role_to_user(project, user, admin.identity.find_role("admin"))
    inside = connect(twin, "tresor-provisioner").connect_as_project("tre-x")
    assert inside.network.create_network(name="n").project_id == project.id

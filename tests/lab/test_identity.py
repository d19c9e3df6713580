"""Projects, roles and tokens: what the provisioner does first."""

import openstack.exceptions
import pytest
from openstack.connection import Connection

from tests.lab.cloud import Cloud, Sdk, Tidy, body_of
from tests.lab.recorder import Notification, Recorder

NOBODY = "11111111111111111111111111111111"


def test_a_project_name_is_unique_in_its_domain(admin: Sdk, prefix: str, tidy: Tidy) -> None:
    """A second project of the same name is a 409, so a lost response is found again by name."""
    project = admin.identity.create_project(name=prefix, domain_id="default", description="d")
    tidy(admin.identity.delete_project, project)
    assert project.is_enabled
    assert project.parent_id == "default"
    with pytest.raises(openstack.exceptions.ConflictException) as refused:
        admin.identity.create_project(name=prefix, domain_id="default")
    error = body_of(refused)["error"]
    assert error["code"] == 409
    assert error["title"] == "Conflict"
    assert prefix in error["message"]
    assert admin.identity.find_project(prefix, domain_id="default").id == project.id


def test_tags_given_at_creation_find_the_project(admin: Sdk, prefix: str, tidy: Tidy) -> None:
    """Tags serve as a marker: listed by tag, only that project comes."""
    project = admin.identity.create_project(name=prefix, domain_id="default", tags=["tresor", f"ws={prefix}"])
    tidy(admin.identity.delete_project, project)
    assert [found.id for found in admin.identity.projects(tags=f"ws={prefix}")] == [project.id]
    assert list(admin.identity.projects(tags=f"ws={prefix},absent")) == []


def test_an_unknown_project_is_404(admin: Sdk) -> None:
    """The body names what was asked for."""
    with pytest.raises(openstack.exceptions.NotFoundException) as refused:
        admin.identity.get_project(NOBODY)
    error = body_of(refused)["error"]
    assert error == {"code": 404, "title": "Not Found", "message": f"Could not find project: {NOBODY}."}
    assert admin.identity.find_project(NOBODY) is None


def test_rescoping_needs_a_role_first(admin: Sdk, provisioner: Sdk, prefix: str, tidy: Tidy) -> None:
    """An administrator elsewhere has no access to a new project until granted a role there; granting twice is fine."""
    project = admin.identity.create_project(name=prefix, domain_id="default")
    tidy(admin.identity.delete_project, project)
    with pytest.raises(openstack.exceptions.SDKException, match="401"):
        provisioner.connect_as_project(prefix).authorize()
    account = provisioner.current_user_id
    role = provisioner.identity.find_role("admin")
    provisioner.identity.assign_project_role_to_user(project.id, account, role)
    provisioner.identity.assign_project_role_to_user(project.id, account, role)
    scoped = provisioner.connect_as_project(prefix)
    assert scoped.current_project_id == project.id
    assert scoped.current_user_id == account
    assert [item.role["id"] for item in admin.identity.role_assignments(scope_project_id=project.id)] == [role.id]


def test_a_disabled_project_gives_no_token(admin: Sdk, provisioner: Sdk, prefix: str, tidy: Tidy) -> None:
    """Disabling shuts the project out at once, the role notwithstanding."""
    project = admin.identity.create_project(name=prefix, domain_id="default")
    tidy(admin.identity.delete_project, project)
    admin.identity.assign_project_role_to_user(project, provisioner.current_user_id, admin.identity.find_role("admin"))
    admin.identity.update_project(project, is_enabled=False)
    with pytest.raises(openstack.exceptions.SDKException, match="401"):
        provisioner.connect_as_project(prefix).authorize()


def test_a_wrong_password_is_401(cloud: Cloud, notifications: Recorder, admin: Sdk) -> None:
    """The failed login is told as a CADF event with the outcome failure and the user's id."""
    mark = notifications.mark()
    wrong = Connection(
        auth={
            "auth_url": admin.session.auth.auth_url,
            "username": "tresor-storage",
            "password": "wrong",
            "project_name": "service",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }
    )
    with pytest.raises(openstack.exceptions.SDKException, match="HTTP 401"):
        wrong.authorize()
    account = admin.identity.find_user("tresor-storage", domain_id="default").id
    told = notifications.wait_for(
        mark, lambda heard: heard.event_type == "identity.authenticate" and heard.payload["outcome"] == "failure"
    )
    assert told[0].payload["initiator"]["user_id"] == account


def test_an_application_credential_shows_its_secret_once(
    cloud: Cloud, admin: Sdk, provisioner: Sdk, tidy: Tidy, prefix: str
) -> None:
    """The secret is in the answer to the creation and nowhere after it."""
    account = provisioner.current_user_id
    made = provisioner.identity.create_application_credential(account, name=prefix, roles=[{"name": "admin"}])
    tidy(provisioner.identity.delete_application_credential, account, made)
    assert made.secret
    assert not provisioner.identity.get_application_credential(account, made.id).secret
    by_credential = Connection(
        auth_type="v3applicationcredential",
        auth={
            "auth_url": admin.session.auth.auth_url,
            "application_credential_id": made.id,
            "application_credential_secret": made.secret,
        },
    )
    assert by_credential.current_project_id == provisioner.current_project_id


def test_project_events_are_cadf(admin: Sdk, notifications: Recorder, prefix: str) -> None:
    """One event each for created, updated, deleted, on keystone with notifications.info, the id in resource_info."""
    mark = notifications.mark()
    project = admin.identity.create_project(name=prefix, domain_id="default")
    admin.identity.update_project(project, description="new")
    admin.identity.delete_project(project)

    def about(heard: Notification) -> bool:
        return heard.exchange == "keystone" and heard.payload.get("resource_info") == project.id

    told = notifications.wait_for(mark, about, 3)
    assert [heard.event_type for heard in told] == [
        "identity.project.created",
        "identity.project.updated",
        "identity.project.deleted",
    ]
    for heard in told:
        assert heard.routing_key == "notifications.info"
        assert heard.publisher == "identity"
        assert heard.payload["typeURI"] == "http://schemas.dmtf.org/cloud/audit/1.0/event"
        assert heard.payload["eventType"] == "activity"
        assert heard.payload["outcome"] == "success"
        assert heard.payload["initiator"]["user_id"] == admin.current_user_id
        assert heard.payload["target"]["typeURI"] == "data/security/project"


def test_a_role_grant_names_user_project_and_role(
    admin: Sdk, provisioner: Sdk, notifications: Recorder, prefix: str, tidy: Tidy
) -> None:
    """role_assignment.created carries the three ids at the payload's top."""
    project = admin.identity.create_project(name=prefix, domain_id="default")
    tidy(admin.identity.delete_project, project)
    role = admin.identity.find_role("member")
    account = provisioner.current_user_id
    mark = notifications.mark()
    admin.identity.assign_project_role_to_user(project, account, role)
    admin.identity.unassign_project_role_from_user(project, account, role)
    told = notifications.wait_for(mark, lambda heard: heard.payload.get("project") == project.id, 2)
    assert [heard.event_type for heard in told] == [
        "identity.role_assignment.created",
        "identity.role_assignment.deleted",
    ]
    for heard in told:
        assert heard.payload["role"] == role.id
        assert heard.payload["user"] == account

"""A project, its people, and a login that fails."""

import openstack.exceptions
from openstack.connection import Connection

from workload.scene import PASSWORD, Scene, Sdk


def login(scene: Scene, password: str) -> Sdk:
    """A connection of the project's member. The cloud's own entry must not be mixed in, so no entry is named."""
    return Connection(
        region_name="RegionOne",
        auth={
            "auth_url": scene.admin.session.auth.auth_url,
            "username": scene.name("pi"),
            "password": password,
            "project_name": scene.name("tre"),
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
    )


def make_project_and_users(scene: Scene) -> None:
    """Project, principal investigator, a researcher who joins and leaves, an application credential."""
    identity = scene.admin.identity
    project = identity.create_project(name=scene.name("tre"), domain_id="default")
    scene.at_the_end(identity.delete_project, project)
    leader = identity.create_user(name=scene.name("pi"), password=PASSWORD, domain_id="default", email="pi@example.org")
    scene.at_the_end(identity.delete_user, leader)
    member = identity.find_role("member")
    identity.assign_project_role_to_user(project, leader, member)
    scene.made["member"] = login(scene, PASSWORD)
    scene.member.authorize()

    group = identity.create_group(name=scene.name("grp"), domain_id="default")
    researcher = identity.create_user(name=scene.name("res"), password=PASSWORD, domain_id="default")
    identity.add_user_to_group(researcher, group)
    identity.remove_user_from_group(researcher, group)
    identity.assign_project_role_to_user(project, researcher, member)
    identity.unassign_project_role_from_user(project, researcher, member)
    identity.update_user(researcher, is_enabled=False)
    identity.update_project(project, description="a trusted research environment")
    identity.delete_group(group)
    identity.delete_user(researcher)

    own = scene.member.identity
    credential = own.create_application_credential(leader.id, name="ac", secret=PASSWORD)
    own.delete_application_credential(leader.id, credential)


def fail_to_log_in(scene: Scene) -> None:
    """A wrong password."""
    try:
        login(scene, "wrong").authorize()
    except openstack.exceptions.SDKException:
        return
    raise AssertionError("a wrong password logged in")

"""How the service's resources are called in Neutron. Names only help people: authority is the recorded id."""

import re

DEFAULT_GROUP = "default"
"""Neutron makes a group of this name in every project, silently."""


def group_name(workspace: str, role: str) -> str:
    """The security group of a role; quarantine's, whose role begins with a colon, can't be any role's."""
    return f"tresor-{workspace}{role}" if role.startswith(":") else f"tresor-{workspace}-{role}"


def role_of_group(workspace: str, name: str) -> str | None:
    """The role that a group or address group of this name would be of; None when it is no such name."""
    prefix = group_name(workspace, "")
    return name.removeprefix(prefix) if name.startswith(prefix) and len(name) > len(prefix) else None


def group_description(workspace: str, role: str) -> str:
    """What a person who finds the group in Neutron should know of it."""
    if role.startswith(":"):
        return f"Quarantine of workspace {workspace}: nothing in, nothing out. Kept by Tresor: all rules are removed."
    return f"Role {role} of workspace {workspace}. Kept by Tresor: other rules are removed."


def tag(workspace: str) -> str:
    """The tag that everything of a workspace carries; a hint for people, never authority (CVE-2024-53916)."""
    return f"tresor:{workspace}"


def node_name(workspace: str, role: str, position: int) -> str:
    """A node's name, which `role_of_node` reads; its port's too where the role has one network."""
    return f"{workspace}-{role}-{position}"


def role_of_node(workspace: str, roles: frozenset[str], name: str) -> str | None:
    """The role in a node's or port's name `<workspace>-<role>-<n>[-<network>]`, or None when it is no such name."""
    for role in sorted(roles, key=len, reverse=True):
        if re.fullmatch(rf"{re.escape(workspace)}-{re.escape(role)}-[0-9]{{1,5}}(-[a-z][a-z0-9-]*)?", name):
            return role
    return None

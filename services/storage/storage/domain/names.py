"""What a workspace's shares, volumes and cephx ids are called in the cloud."""

from contracts.workspace import Share, Volume, Workspace

WORKSPACE_KEY = "tresor_workspace"
GENERATION_KEY = "tresor_generation"


def share(document: Workspace, share: Share) -> str:
    """A share's name, unique within the workspace's project."""
    return f"{document.name}-{share.name}"


def volume(document: Workspace, volume: Volume, position: int) -> str:
    """The name of the volume for the node of that position, unique within the workspace's project."""
    return f"{document.name}-{volume.name}-{position}"


def node(document: Workspace, role: str, position: int) -> str:
    """The node that the provisioner makes for that position of the role."""
    return f"{document.name}-{role}-{position}"


def cephx_id(workspace: str, role: str) -> str:
    """The cephx id under which a role's nodes mount.

    Ceph's ids are one name space for the whole cluster, and Manila takes no periods in them. An underscore can be in
    neither name, so that no two workspaces can ever come to the same id, as `a-b` + `c` and `a` + `b-c` would with a
    hyphen; a shared id would share its key.
    """
    return f"{workspace}_{role}"


def metadata(workspace: str, generation: int) -> dict[str, str]:
    """What a share or volume carries so that it is found again; it grants nothing (CVE-2024-53916)."""
    return {WORKSPACE_KEY: workspace, GENERATION_KEY: str(generation)}

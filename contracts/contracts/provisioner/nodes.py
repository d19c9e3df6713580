"""A workspace's networks and nodes, as they come up."""

from typing import Annotated

from pydantic import StringConstraints

from contracts.envelope import Event
from contracts.examples import PROJECT_ID, WORKSPACE
from contracts.identifiers import Generation, Identifier, ResourceId, Text
from contracts.provisioner.parts import Part
from contracts.workspace import NetworkClass


class ReadyNetwork(Part):
    """A network as Neutron has it."""

    name: Identifier
    network_class: NetworkClass
    network_id: ResourceId
    subnet_ids: tuple[ResourceId, ...]
    prefixes: tuple[str, ...]


class NetworkReady(Event):
    """The workspace's networks and routers exist; no port of a node is on them yet."""

    type = "provisioner.network.ready"

    workspace: Identifier
    generation: Generation
    project_id: ResourceId
    networks: tuple[ReadyNetwork, ...]

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "project_id": PROJECT_ID,
        "networks": [
            {
                "name": "cluster",
                "network_class": "private",
                "network_id": "5b1f0f1e-7c1d-4f0e-8f56-2f1d6a9b7c01",
                "subnet_ids": ["0d3c7a52-19f1-4e0c-a6a6-7a5a7d0b9c02"],
                "prefixes": ["10.42.0.0/24"],
            }
        ],
    }


class NodeActive(Event):
    """A node runs: Nova says ACTIVE, and all its ports are in their groups."""

    type = "provisioner.node.active"

    workspace: Identifier
    generation: Generation
    node: Identifier
    role: Identifier
    server_id: ResourceId
    port_ids: tuple[ResourceId, ...]
    addresses: tuple[str, ...]
    host: Annotated[str, StringConstraints(max_length=255)] = ""
    """The hypervisor, where Nova tells it."""

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "node": "openhpc-login-0",
        "role": "login",
        "server_id": "f3a1c9d2-5b7e-4c1a-9f0e-1d2c3b4a5f60",
        "port_ids": ["9c0e2b6a-2f5d-4b1b-8d5c-3e1f7a9b2c03"],
        "addresses": ["10.42.0.11"],
        "host": "hv1",
    }


class NodeFailed(Event):
    """A node came to ERROR or vanished; `fault` is Nova's own text."""

    type = "provisioner.node.failed"

    workspace: Identifier
    generation: Generation
    node: Identifier
    server_id: ResourceId | None = None
    fault: Text

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "node": "openhpc-compute-2",
        "server_id": "f3a1c9d2-5b7e-4c1a-9f0e-1d2c3b4a5f61",
        "fault": "No valid host was found.",
    }


MESSAGES = (
    NetworkReady,
    NodeActive,
    NodeFailed,
)

"""A cloud in memory that obeys the provisioner's steps: enough to play whole lives of a workspace in a millisecond.

It refuses what OpenStack refuses (a port in use, a network with ports, a second project of one name), so that a plan
in the wrong order fails here as it would there.
"""

import itertools
from dataclasses import dataclass, field, replace

from provisioner.domain import steps
from provisioner.domain.observed import (
    Observed,
    SeenNetwork,
    SeenPort,
    SeenProject,
    SeenRouter,
    SeenServer,
    SeenSubnet,
    SeenTrunk,
)
from provisioner.domain.steps import Step


class RefusedError(AssertionError):
    """OpenStack would not do this."""


@dataclass
class ModelCloud:
    """One project's worth of OpenStack; servers become active when `settle` is called."""

    project: SeenProject | None = None
    networks: dict[str, SeenNetwork] = field(default_factory=dict)
    subnets: dict[str, SeenSubnet] = field(default_factory=dict)
    routers: dict[str, SeenRouter] = field(default_factory=dict)
    ports: dict[str, SeenPort] = field(default_factory=dict)
    trunks: dict[str, SeenTrunk] = field(default_factory=dict)
    servers: dict[str, SeenServer] = field(default_factory=dict)
    quotas: dict[str, dict[str, int]] = field(default_factory=dict)
    is_granted: bool = False
    doomed: dict[str, int] = field(default_factory=dict)
    """How many more servers of that name come to ERROR."""
    made: list[str] = field(default_factory=list)
    """The name of every server that was ever created."""
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def observe(self) -> Observed:
        return Observed(
            self.project,
            tuple(self.networks.values()),
            tuple(self.subnets.values()),
            tuple(self.routers.values()),
            tuple(self.ports.values()),
            tuple(self.trunks.values()),
            tuple(self.servers.values()),
            {service: dict(limits) for service, limits in self.quotas.items()},
            self.is_granted,
        )

    def settle(self) -> None:
        """What Nova was doing, it has done."""
        for server in list(self.servers.values()):
            if server.status == "DELETING":
                self._release(server.id)
                del self.servers[server.id]
            elif server.status == "BUILD":
                if self.doomed.get(server.name, 0) > 0:
                    self.doomed[server.name] -= 1
                    broken = replace(server, status="ERROR", is_busy=False, fault="No valid host was found.")
                    self.servers[server.id] = broken
                else:
                    self.servers[server.id] = replace(server, status="ACTIVE", is_busy=False, host="hv1")

    def lose(self, name: str) -> None:
        """Somebody deletes the server of that name."""
        for server in [each for each in self.servers.values() if each.name == name]:
            self._release(server.id)
            del self.servers[server.id]

    def _release(self, server_id: str) -> None:
        for port in self.ports.values():
            if port.device_id == server_id:
                self.ports[port.id] = replace(port, device_id="", device_owner="")

    def _id(self, kind: str) -> str:
        return f"{kind}-{next(self._ids):04d}"

    def perform(self, step: Step) -> None:
        """Do it, or raise RefusedError."""
        match step:
            case steps.CreateProject(name=name):
                if self.project is not None:
                    raise RefusedError("409: a project of that name exists")
                self.project = SeenProject(self._id("project"), name, True)
            case steps.GrantRole():
                self.is_granted = True
            case steps.SetQuota(service=service, limits=limits):
                self.quotas[service] = dict(limits)
            case steps.ForgetQuota(service=service):
                self.quotas.pop(service, None)
            case steps.CreateNetwork(name=name):
                made = SeenNetwork(self._id("network"), name)
                self.networks[made.id] = made
            case steps.CreateSubnet(name=name, network_id=network_id, cidr=cidr):
                if network_id not in self.networks:
                    raise RefusedError("404: no such network")
                subnet = SeenSubnet(self._id("subnet"), name, network_id, cidr)
                self.subnets[subnet.id] = subnet
            case steps.CreateRouter(name=name, gateway_network_id=gateway):
                router = SeenRouter(self._id("router"), name, gateway)
                self.routers[router.id] = router
            case steps.AddInterface() | steps.RemoveInterface() | steps.SetGateway() | steps.DeleteRouter():
                self._route(step)
            case steps.CreatePort() | steps.DeletePort() | steps.DeleteNetwork():
                self._wire(step)
            case steps.CreateTrunk() | steps.AddSubports() | steps.RemoveSubports() | steps.DeleteTrunk():
                self._carry(step)
            case steps.CreateServer() | steps.DeleteServer() | steps.StartServer() | steps.AttachVolume():
                self._serve(step)
            case steps.SetTag(kind="trunks", resource_id=trunk_id):
                self.trunks[trunk_id] = replace(self.trunks[trunk_id], is_marked=True)
            case steps.DeleteProject():
                if self.servers or self.networks or self.routers or self.ports:
                    raise AssertionError("a project was deleted with things left in it")
                self.project = None
            case _:
                raise TypeError(step)

    def _route(self, step: Step) -> None:
        match step:
            case steps.SetGateway(router_id=router_id, gateway_network_id=gateway):
                self.routers[router_id] = replace(self.routers[router_id], gateway_network_id=gateway)
            case steps.AddInterface(router_id=router_id, subnet_id=subnet_id):
                if any(port.device_id == router_id and subnet_id in port.subnet_ids for port in self.ports.values()):
                    raise RefusedError("400: the router has a port on this subnet already")
                port = SeenPort(
                    self._id("port"),
                    "",
                    self.subnets[subnet_id].network_id,
                    router_id,
                    "network:router_interface",
                    subnet_ids=(subnet_id,),
                )
                self.ports[port.id] = port
            case steps.RemoveInterface(router_id=router_id, subnet_id=subnet_id):
                for port in list(self.ports.values()):
                    if port.device_id == router_id and subnet_id in port.subnet_ids:
                        del self.ports[port.id]
            case steps.DeleteRouter(router_id=router_id):
                if any(port.device_id == router_id for port in self.ports.values()):
                    raise RefusedError("409: the router has interfaces")
                self.routers.pop(router_id, None)

    def _wire(self, step: Step) -> None:
        match step:
            case steps.CreatePort(name=name, network_id=network_id, group_id=group_id, subnet_ids=subnet_ids):
                port = SeenPort(
                    self._id("port"),
                    name,
                    network_id,
                    group_ids=frozenset({group_id}),
                    subnet_ids=subnet_ids,
                    vnic_type=step.vnic_type,
                )
                self.ports[port.id] = port
            case steps.DeletePort(port_id=port_id):
                port = self.ports[port_id]
                if port.device_id in self.servers or port.is_network_own:
                    raise RefusedError("409: the port is in use")
                if any(port_id in trunk.port_ids for trunk in self.trunks.values()):
                    raise RefusedError("409: the port is on a trunk")
                del self.ports[port_id]
            case steps.DeleteNetwork(network_id=network_id):
                if any(port.network_id == network_id for port in self.ports.values()):
                    raise RefusedError("409: there are ports on the network")
                self.networks.pop(network_id, None)
                self.subnets = {key: each for key, each in self.subnets.items() if each.network_id != network_id}

    def _carry(self, step: Step) -> None:
        match step:
            case steps.CreateTrunk(name=name, parent_id=parent_id, subports=subports):
                if self.ports[parent_id].device_id:
                    raise RefusedError("409: the port is in use and is not eligible for use as a parent port")
                self._free(parent_id)
                trunk = SeenTrunk(self._id("trunk"), name, parent_id)
                self.trunks[trunk.id] = trunk
                self._join(trunk, subports)
            case steps.AddSubports(trunk_id=trunk_id, subports=subports):
                self._join(self.trunks[trunk_id], subports)
            case steps.RemoveSubports(trunk_id=trunk_id, port_ids=port_ids):
                trunk = self.trunks[trunk_id]
                left = frozenset(each for each in trunk.subports if each[0] not in port_ids)
                self.trunks[trunk_id] = replace(trunk, subports=left)
            case steps.DeleteTrunk(trunk_id=trunk_id):
                del self.trunks[trunk_id]

    def _join(self, trunk: SeenTrunk, subports: tuple[tuple[str, int], ...]) -> None:
        for port_id, _ in subports:
            self._free(port_id)
            self.ports[port_id] = replace(self.ports[port_id], device_owner="trunk:subport")
        self.trunks[trunk.id] = replace(trunk, subports=trunk.subports | set(subports))

    def _free(self, port_id: str) -> None:
        if port_id not in self.ports:
            raise RefusedError("404: no such port")
        if any(port_id in trunk.port_ids for trunk in self.trunks.values()):
            raise RefusedError("409: the port is in use by another trunk")

    def _serve(self, step: Step) -> None:
        match step:
            case steps.CreateServer(name=name, port_ids=port_ids):
                if not self.is_granted:
                    raise RefusedError("403: no role in the project")
                if any(self.ports[port_id].device_id for port_id in port_ids):
                    raise RefusedError("409: a port is in use")
                if len(self.servers) >= self.quotas["compute"]["instances"]:
                    raise RefusedError("403: quota of instances exceeded")
                server = SeenServer(self._id("server"), name, "BUILD", is_busy=True)
                self.servers[server.id] = server
                self.made.append(name)
                for port_id in port_ids:
                    owned = replace(self.ports[port_id], device_id=server.id, device_owner="compute:nova")
                    self.ports[port_id] = owned
            case steps.DeleteServer(server_id=server_id):
                self.servers[server_id] = replace(self.servers[server_id], status="DELETING", is_busy=True)
            case steps.StartServer(server_id=server_id):
                self.servers[server_id] = replace(self.servers[server_id], status="ACTIVE")
            case steps.AttachVolume(server_id=server_id, volume_id=volume_id):
                server = self.servers[server_id]
                if volume_id in server.volume_ids:
                    raise RefusedError("400: attached already")
                self.servers[server_id] = replace(server, volume_ids=server.volume_ids | {volume_id})

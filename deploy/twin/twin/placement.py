"""Placement: resource providers with their inventories and usages, read only."""

from typing import TYPE_CHECKING, Any

from twin.core.errors import TITLES, ApiError
from twin.core.http import Reply, Request
from twin.core.service import Service, asked_microversion
from twin.nova import scheduler

if TYPE_CHECKING:
    from twin.cloud import Cloud

LOWEST, HIGHEST = (1, 0), (1, 39)
TRAITS = (
    "COMPUTE_NODE",
    "COMPUTE_NET_ATTACH_INTERFACE",
    "COMPUTE_VOLUME_MULTI_ATTACH",
    "COMPUTE_IMAGE_TYPE_RAW",
    "OWNER_NOVA",
)
CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB", "PCI_DEVICE", "SRIOV_NET_VF", "VGPU", "CUSTOM_BAREMETAL")
LINKS = ("self", "inventories", "usages", "aggregates", "traits", "allocations")


class Placement(Service):
    """Placement 1.x."""

    name = "placement"
    prefix = "placement"
    catalog_name = "placement"
    catalog_type = "placement"

    def __init__(self, cloud: "Cloud") -> None:
        super().__init__(cloud)
        router = self.router
        router.add("GET", "/", self._versions)
        router.add("GET", "/resource_providers", self._list)
        base = "/resource_providers/{id}"
        router.add("GET", base, lambda request: Reply(200, self._view(self._provider(request))))
        router.add("GET", base + "/inventories", self._inventories)
        router.add("GET", base + "/usages", self._usages)
        router.add("GET", base + "/aggregates", lambda request: self._of(request, {"aggregates": []}))
        router.add("GET", base + "/traits", lambda request: self._of(request, {"traits": list(TRAITS)}))
        router.add("GET", base + "/allocations", self._allocations)
        router.add("GET", "/allocations/{id}", self._allocation)
        router.add("GET", "/allocation_candidates", self._candidates)
        router.add("GET", "/usages", self._project_usages)
        router.add("GET", "/traits", lambda request: Reply(200, {"traits": list(TRAITS)}))
        router.add("GET", "/resource_classes", self._classes)

    def negotiate(self, request: Request) -> None:
        """`OpenStack-API-Version: placement X`."""
        service, _, version = request.headers.get("openstack-api-version", "").partition(" ")
        request.microversion = asked_microversion(version if service == "placement" else "", LOWEST, HIGHEST)

    def version_headers(self, request: Request) -> dict[str, str]:
        """The version used."""
        version = f"{request.microversion[0]}.{request.microversion[1]}"
        return {
            "openstack-api-version": f"placement {version if request.microversion != (0, 0) else '1.0'}",
            "vary": "openstack-api-version",
            "x-openstack-request-id": request.request_id,
        }

    def render(self, error: ApiError, request: Request) -> Reply:
        """`{"errors": [...]}`."""
        title = TITLES.get(error.status, "Error")
        one = {
            "status": error.status,
            "title": title,
            "detail": f"The resource could not be found.\n\n {error.message}  "
            if error.status == 404
            else error.message,
            "code": "placement.undefined_code",
            "request_id": request.request_id,
        }
        return Reply(error.status, {"errors": [one]}, dict(error.headers))

    def _versions(self, request: Request) -> Reply:
        version = {
            "id": "v1.0",
            "max_version": f"{HIGHEST[0]}.{HIGHEST[1]}",
            "min_version": "1.0",
            "status": "CURRENT",
            "links": [{"rel": "self", "href": ""}],
        }
        return Reply(200, {"versions": [version]})

    def _providers(self) -> list[dict[str, Any]]:
        hosts = [
            {"uuid": host["hypervisor_id"], "name": host["host"], "host": host["host"]}
            for host in self.cloud.nova.hosts
            if host["kind"] == "hypervisor"
        ]
        nodes = [{"uuid": node["id"], "name": node["id"], "node": node} for node in self.cloud.ironic.nodes]
        return hosts + nodes

    def _provider(self, request: Request) -> dict[str, Any]:
        if not request.caller.is_admin:
            raise ApiError(403, "Access was denied to this resource.")
        for provider in self._providers():
            if provider["uuid"] == request.params["id"]:
                return provider
        raise ApiError(404, f"No resource provider with uuid {request.params['id']} found")

    def _view(self, provider: dict[str, Any]) -> dict[str, Any]:
        path = f"/resource_providers/{provider['uuid']}"
        return {
            "uuid": provider["uuid"],
            "name": provider["name"],
            "generation": self._generation(provider),
            "links": [{"rel": rel, "href": path if rel == "self" else f"{path}/{rel}"} for rel in LINKS],
            "parent_provider_uuid": None,
            "root_provider_uuid": provider["uuid"],
        }

    def _generation(self, provider: dict[str, Any]) -> int:
        return 2 + len(self.cloud.nova.servers.where(host=provider.get("host", "")))

    def _list(self, request: Request) -> Reply:
        if not request.caller.is_admin:
            raise ApiError(403, "Access was denied to this resource.")
        rows = self._providers()
        for name in ("name", "uuid"):
            if request.one(name):
                rows = [row for row in rows if row[name] == request.one(name)]
        if request.one("in_tree"):
            rows = [row for row in rows if row["uuid"] == request.one("in_tree")]
        return Reply(200, {"resource_providers": [self._view(row) for row in rows]})

    def _of(self, request: Request, body: dict[str, Any]) -> Reply:
        provider = self._provider(request)
        return Reply(200, {**body, "resource_provider_generation": self._generation(provider)})

    def _inventories(self, request: Request) -> Reply:
        provider = self._provider(request)
        if "node" in provider:
            kind = "CUSTOM_" + str(provider["node"]["resource_class"]).upper().replace("-", "_")
            inventories = {kind: _inventory(1, 1.0)}
        else:
            memory = _inventory(800_000, 1.0)
            memory["reserved"] = 512
            inventories = {"VCPU": _inventory(1000, 4.0), "MEMORY_MB": memory, "DISK_GB": _inventory(600_000, 1.0)}
        body = {"resource_provider_generation": self._generation(provider), "inventories": inventories}
        return Reply(200, body)

    def _usages(self, request: Request) -> Reply:
        provider = self._provider(request)
        if "node" in provider:
            kind = "CUSTOM_" + str(provider["node"]["resource_class"]).upper().replace("-", "_")
            usages = {kind: 1 if provider["node"]["instance_uuid"] else 0}
        else:
            usages = scheduler.usage(self.cloud.nova, provider["host"])
        return Reply(200, {"resource_provider_generation": self._generation(provider), "usages": usages})

    def _allocations(self, request: Request) -> Reply:
        provider = self._provider(request)
        servers = self.cloud.nova.servers.where(host=provider.get("host", ""))
        allocations = {server["id"]: {"resources": _resources(server)} for server in servers}
        return self._of(request, {"allocations": allocations})

    def _allocation(self, request: Request) -> Reply:
        server = self.cloud.nova.servers.get(request.params["id"])
        allocations: dict[str, Any] = {}
        if server is not None and server["host"]:
            provider = next((one for one in self._providers() if one["name"] in (server["node"], server["host"])), None)
            if provider is not None:
                allocations[provider["uuid"]] = {
                    "resources": _resources(server),
                    "generation": self._generation(provider),
                }
        return Reply(200, {"allocations": allocations})

    def _candidates(self, request: Request) -> Reply:
        """Who could give what is asked (`resources=CLASS:AMOUNT,…`) now; in the form of microversion 1.12 and later."""
        if not request.caller.is_admin:
            raise ApiError(403, "Access was denied to this resource.")
        pairs = [one.partition(":") for one in (request.one("resources") or "").split(",")]
        if not all(name and amount.isdigit() for name, _, amount in pairs):
            raise ApiError(400, "Badly formed resources parameter.")
        wanted = {name: int(amount) for name, _, amount in pairs}
        limit = int(request.one("limit") or len(self._providers()))
        found = [one for one in self._providers() if _has(self._free(one), wanted)][:limit]
        requests = [
            {"allocations": {one["uuid"]: {"resources": wanted}}, "mappings": {"": [one["uuid"]]}} for one in found
        ]
        summaries: dict[str, Any] = {one["uuid"]: {"resources": {}, "traits": []} for one in found}
        return Reply(200, {"allocation_requests": requests, "provider_summaries": summaries})

    def _free(self, provider: dict[str, Any]) -> dict[str, int]:
        if "node" in provider:
            node = provider["node"]
            is_free = node["provision_state"] == "available" and not node["instance_uuid"] and not node["maintenance"]
            return {"CUSTOM_" + str(node["resource_class"]).upper().replace("-", "_"): int(is_free)}
        used = scheduler.usage(self.cloud.nova, provider["host"])
        total = {"VCPU": scheduler.VCPUS, "MEMORY_MB": scheduler.RAM_MIB, "DISK_GB": scheduler.DISK_GIB}
        return {name: amount - used[name] for name, amount in total.items()}

    def _project_usages(self, request: Request) -> Reply:
        servers = [one for one in self.cloud.nova.servers.where(project_id=request.one("project_id")) if one["host"]]
        usages: dict[str, int] = {}
        for server in servers:
            for name, amount in _resources(server).items():
                usages[name] = usages.get(name, 0) + amount
        return Reply(200, {"usages": usages})

    def _classes(self, request: Request) -> Reply:
        classes = [{"name": name, "links": [{"rel": "self", "href": f"/resource_classes/{name}"}]} for name in CLASSES]
        return Reply(200, {"resource_classes": classes})


def _has(free: dict[str, int], wanted: dict[str, int]) -> bool:
    return all(free.get(name, 0) >= amount for name, amount in wanted.items())


def _resources(server: dict[str, Any]) -> dict[str, int]:
    flavor = server["flavor"]
    if server["host"] == "bm":
        return {
            name.removeprefix("resources:"): 1 for name in flavor["extra_specs"] if name.startswith("resources:CUSTOM_")
        }
    return {"VCPU": flavor["vcpus"], "MEMORY_MB": flavor["ram"], "DISK_GB": flavor["disk"]}


def _inventory(total: int, ratio: float) -> dict[str, Any]:
    return {
        "total": total,
        "reserved": 0,
        "min_unit": 1,
        "max_unit": total,
        "step_size": 1,
        "allocation_ratio": ratio,
    }

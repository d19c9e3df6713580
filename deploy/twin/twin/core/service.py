"""What a service is to the application: a prefix, routes, its form of errors and its version headers."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from twin.core.errors import FAULT_KEYS, TITLES, ApiError
from twin.core.http import Reply, Request
from twin.core.routing import Router

if TYPE_CHECKING:
    from twin.cloud import Cloud


class Service(ABC):
    """One OpenStack service of the twin."""

    name: str
    """As in fault rules: nova, neutron, …"""
    prefix: str
    """The first segment of its paths on the twin's port."""
    catalog_name: str
    catalog_type: str
    catalog_path: str = ""

    def __init__(self, cloud: "Cloud") -> None:
        self.cloud = cloud
        self.router = Router()

    def public(self, request: Request) -> bool:
        """Whether the path needs no token: version discovery."""
        return request.path in ("", "/")

    def negotiate(self, request: Request) -> None:  # noqa: B027  # most have no microversions
        """Reads the microversion asked for; ApiError 406 when it is not supported."""

    def version_headers(self, request: Request) -> dict[str, str]:
        """Headers of every reply, beside the request id."""
        return {"x-openstack-request-id": request.request_id}

    @abstractmethod
    def render(self, error: ApiError, request: Request) -> Reply:
        """The error in the service's own form."""

    def unauthorized(self) -> Reply:
        """What keystonemiddleware answers without a good token."""
        body = {
            "error": {
                "code": 401,
                "title": "Unauthorized",
                "message": "The request you have made requires authentication.",
            }
        }
        return Reply(401, body, {"WWW-Authenticate": f'Keystone uri="{self.cloud.base_url}/identity/v3"'})


class FaultService(Service):
    """Nova, Cinder and Manila: `{"itemNotFound": {"code": 404, "message": …}}`."""

    def render(self, error: ApiError, request: Request) -> Reply:
        """Their `wsgi.Fault`."""
        key = error.kind or FAULT_KEYS.get(error.status, "computeFault")
        fault: dict[str, object] = {"code": error.status, "message": error.message or TITLES.get(error.status, "")}
        headers = dict(error.headers)
        if error.status == 413:
            headers.setdefault("Retry-After", "0")
        if "Retry-After" in headers:
            fault["retryAfter"] = headers["Retry-After"]
        return Reply(error.status, {key: fault}, headers)


def asked_microversion(text: str, lowest: tuple[int, int], highest: tuple[int, int]) -> tuple[int, int]:
    """A microversion header's value within bounds; ApiError 400 when malformed, 406 when out of them."""
    if not text:
        return lowest
    if text == "latest":
        return highest
    major, _, minor = text.partition(".")
    if not (major.isdigit() and minor.isdigit()):
        raise ApiError(400, f"API Version String {text} is of invalid format. Must be of format MajorNum.MinorNum.")
    wanted = (int(major), int(minor))
    if not lowest <= wanted <= highest:
        raise ApiError(
            406,
            f"Version {text} is not supported by the API. Minimum is {lowest[0]}.{lowest[1]} and maximum is "
            f"{highest[0]}.{highest[1]}.",
        )
    return wanted

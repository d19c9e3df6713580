"""OpenStack's APIs: reachable as each of our users, with the role they need, in versions that we use."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from operator_cli.doctor.check import Check
from operator_cli.settings import Settings
from shared.clock import SystemClock
from shared.cloud import Cloud
from shared.errors import CloudError, Configuration, CredentialsRefused

AREA = "OpenStack's APIs"
SECONDS = 20.0
WRITING_ROLES = frozenset({"admin"})
READING_ROLES = frozenset({"admin", "reader", "member", "manager"})


@dataclass(frozen=True)
class Api:
    """An API and the microversion that Tresor asks it for; empty where the API has none."""

    name: str
    proxy: str
    """The openstacksdk connection's attribute."""
    microversion: str
    needed: bool


APIS = (
    Api("identity", "identity", "", True),
    Api("compute", "compute", "2.90", True),
    Api("network", "network", "", True),
    Api("image", "image", "", True),
    Api("placement", "placement", "1.29", True),
    Api("block-storage", "block_storage", "3.42", False),
    Api("shared-file-system", "shared_file_system", "2.45", False),
    Api("baremetal", "baremetal", "1.80", False),
)


async def checks(settings: Settings, clouds: Path | None) -> AsyncGenerator[Check, None]:
    """Every entry of clouds.yaml that is named."""
    path = clouds or settings.clouds_path
    if not settings.cloud_names:
        remedy = "set TRESOR_CLOUD_NAMES=tresor-provisioner,tresor-network-policy,… and TRESOR_CLOUDS_PATH"
        yield Check(AREA, "reachable", "SKIP", "no cloud is named", remedy)
        return
    for position, name in enumerate(settings.cloud_names):
        cloud = Cloud(name, path, SystemClock(), threads=1, timeout_seconds=SECONDS)
        try:
            async with asyncio.timeout(SECONDS * (1 + len(APIS))):
                found = await cloud.call(partial(_examine, name=name, with_apis=position == 0))
        except TimeoutError:
            remedy = "are the endpoints in Keystone's catalog reachable?"
            found = [Check(AREA, name, "FAIL", "no answer in time", remedy)]
        except CredentialsRefused as error:
            remedy = "put good credentials into clouds.yaml; a locked or disabled user: `openstack user set --enable`"
            found = [Check(AREA, name, "FAIL", _words(error), remedy)]
        except (CloudError, Configuration) as error:
            remedy = "check the entry in clouds.yaml, and that Keystone is up"
            found = [Check(AREA, name, "FAIL", _words(error), remedy)]
        finally:
            cloud.close()
        for check in found:
            yield check


def _examine(connection: Any, name: str, with_apis: bool) -> list[Check]:
    access = connection.session.auth.get_access(connection.session)
    made = [_role(name, frozenset(access.role_names), access.project_name or "the whole system", access.username)]
    if with_apis:
        made += [_api(connection, api) for api in APIS]
    return made


def _role(name: str, roles: frozenset[str], where: str, user: str) -> Check:
    detail = f"{user} in {where}: {', '.join(sorted(roles))}"
    if roles & WRITING_ROLES:
        return Check(AREA, name, "OK", detail)
    if roles & READING_ROLES:
        return Check(AREA, name, "WARN", detail, "enough to observe; to enforce it needs the role admin")
    return Check(AREA, name, "FAIL", detail, "give the user a role: reader to observe, admin to enforce")


def _api(connection: Any, api: Api) -> Check:
    need = "FAIL" if api.needed else "WARN"
    remedy = "is the service installed, in the catalog, and its endpoint reachable?"
    try:
        proxy = getattr(connection, api.proxy)
        data = proxy.get_endpoint_data()
        if data is None:
            return Check(AREA, api.name, need, "not in Keystone's catalog", remedy)  # type: ignore[arg-type]
    except Exception as error:  # whatever the SDK raises, it is this check's answer
        return Check(AREA, api.name, need, _words(error), remedy)  # type: ignore[arg-type]
    lowest, highest = data.min_microversion, data.max_microversion
    version = ".".join(str(part) for part in data.api_version) if data.api_version else "?"
    if not api.microversion:
        return Check(AREA, api.name, "OK", f"version {version}")
    if not highest:
        detail = f"version {version} tells no microversions; {api.microversion} is asked for"
        return Check(AREA, api.name, "WARN", detail, "an old or a proxied API: try a plan before a create")
    asked = tuple(int(part) for part in api.microversion.split("."))
    words = f"microversions {_dotted(lowest)} to {_dotted(highest)}; {api.microversion} is asked for"
    if not tuple(lowest) <= asked <= tuple(highest):
        return Check(AREA, api.name, need, words, "upgrade OpenStack, or use a version of Tresor that fits")  # type: ignore[arg-type]
    return Check(AREA, api.name, "OK", words)


def _dotted(version: Any) -> str:
    return ".".join(str(part) for part in version) if version else "?"


def _words(error: BaseException) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300]

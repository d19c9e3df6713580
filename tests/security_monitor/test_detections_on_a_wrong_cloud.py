"""What an OpenStack really tells when somebody does what the rules look for: on the twin, through its APIs."""

import asyncio
from typing import Any

from bootstrap.leases import BrokerLease
from contracts.security_monitor import FindingRaised
from security_monitor.handlers import handlers
from security_monitor.main import make_context
from security_monitor.settings import Settings
from shared.testing import Site
from tests.operator_cli.wrong_cloud import Wrong, connect, wrong_cloud
from tests.security_monitor.test_service import publish
from tests.shared.recording import notification, wrapped
from tests.waiting import until

EXCHANGES = ("keystone", "neutron", "nova", "glance", "openstack")
BY_RESOURCE = {
    "port-security-off": "port-unfiltered",
    "address-pairs-wide": "address-pair-anywhere",
    "port-claims-to-be-the-networks": "port-trusted-owner",
    "dhcp-options-set": "port-dhcp-options",
    "image-format-odd": "image-format",
    "image-made-public": "image-format",
}
"""Rules, and what of the wrong cloud they must name."""


def _more(wrong: Wrong) -> dict[str, str]:
    """What else somebody may do; the resource by the rule that must name it."""
    cloud: Any = connect(wrong.twin)
    one, two = (cloud.identity.find_project(name) for name in ("one", "two"))
    network = cloud.network.find_network("home")
    rbac = cloud.network.create_rbac_policy(
        object_type="network", object_id=network.id, action="access_as_shared", target_project_id=two.id,
        project_id=one.id,
    )  # fmt: skip
    user = cloud.identity.create_user(name="mallory", domain_id="default", password="correct-horse-battery")
    domain, role = cloud.identity.find_domain("default"), cloud.identity.find_role("member")
    cloud.identity.assign_domain_role_to_user(domain, user, role)
    mine = cloud.identity.create_application_credential(cloud.current_user_id, name="back-door")
    return {
        "rbac-shared": rbac.id,
        "user-created": user.id,
        "role-granted-widely": user.id,
        "credential-created": mine.id,
    }


async def test_what_is_done_wrong_through_the_apis_is_found(site: Site, broker: BrokerLease) -> None:
    site.site_path.write_text(
        "name: test-site\napi_users: [nova, neutron, cinder, glance]\nimage_ids: [none-of-them]\n"
    )
    service = await site.start(handlers, make_context, Settings, detection_seconds=0.1)
    await until(lambda: service.firehose is not None and service.firehose.connected)
    bound = [wrapped(notification("no.such.type", {}, message_id=f"bound-{name}"), name) for name in EXCHANGES]
    await publish(broker, bound)
    building = wrong_cloud(broker.openstack_url)
    wrong = await asyncio.to_thread(building.__enter__)
    try:
        resources = {rule: wrong.resources[kind] for rule, kind in BY_RESOURCE.items()}
        resources |= await asyncio.to_thread(_more, wrong)

        def named() -> dict[str, str]:
            words: dict[str, str] = {}
            for told in site.tap.of(FindingRaised):
                finding = told.finding
                said = f"{finding.title} {finding.cause} {finding.mend}"
                words[finding.rule] = f"{words.get(finding.rule, '')}\n{said}"
            return words

        await until(lambda: all(resource in named().get(rule, "") for rule, resource in resources.items()), 60)
        wanted = {"world-open", "shared-with-all", "direct-api-user", "role-granted", "image-not-allowed"}
        await until(lambda: wanted <= named().keys(), 60)
        assert wrong.resources["world-open"] in named()["world-open"]
        assert not {"policy-drift", "hypervisor-down", "mass-deletion"} & named().keys()
    finally:
        await asyncio.to_thread(building.__exit__, None, None, None)

"""Agents, images, attachments: what the isolation rests on beside the rules."""

from collections.abc import Iterator
from shlex import quote

from network_policy.domain.audit.finding import Found, Severity, register
from network_policy.domain.audit.inventory import Part
from network_policy.domain.audit.subject import Subject

_LINUX_BRIDGE = "linux bridge"


@register.kind(
    "agent-linuxbridge",
    Severity.HIGH,
    "A host filters with Linux bridge",
    rows="CVE-2021-38598",
    why="With ebtables-nft the Linux bridge driver's anti-spoofing rules did not hold: a server could take its "
    "neighbours' MAC addresses. The driver has left Neutron; no fix will come.",
    runbook=(
        "On the host: `ebtables -V` says `nf_tables` or `legacy`. With nf_tables the host is open.",
        "Move the servers off and the host to OVN or Open vSwitch.",
    ),
    needs={Part.AGENTS},
)
def agent_linuxbridge(subject: Subject) -> Iterator[Found]:
    """By agent; low for Open vSwitch's hybrid firewall, which filters on a Linux bridge with iptables."""
    for agent in subject.inventory.agents:
        if _LINUX_BRIDGE in agent.kind.lower():
            yield Found(
                agent.id,
                f"host {agent.host}",
                agent.kind,
                (f"openstack compute service set --disable {quote(agent.host)} nova-compute",),
            )
        elif agent.is_hybrid:
            yield Found(agent.id, f"host {agent.host}", f"{agent.kind}, filters with iptables", (), Severity.LOW)


@register.kind(
    "agent-down",
    Severity.MEDIUM,
    "A host's agent does not answer",
    rows="L6 M3",
    why="Rules that change while the agent is away are not changed on the host: what Neutron says there is a wish.",
    runbook=(
        "Is the host in service? Start the agent, and see in its log that it caught up.",
        "A host that is gone: delete its agent.",
    ),
    needs={Part.AGENTS},
)
def agent_down(subject: Subject) -> Iterator[Found]:
    """By agent."""
    for agent in subject.inventory.agents:
        if not agent.is_alive:
            delete = f"openstack network agent delete {quote(agent.id)}"
            yield Found(agent.id, f"host {agent.host}", f"{agent.kind} is not alive", (delete,))


@register.kind(
    "image-format",
    Severity.MEDIUM,
    "An image is of a format that the site does not expect",
    rows="CVE-2026-24708 CVE-2024-32498 CVE-2022-47951",
    why="Formats with headers (qcow2 data files, VMDK descriptors) can name files of the host, or make a resize write "
    "over them. The fewer formats are let in, the fewer such headers are ever read.",
    runbook=(
        "Whose image is it, and what is it for? Convert it to raw, upload that, delete this one.",
        "Set `[image_format] require_image_format_match` and Glance's list of formats to those that you expect.",
        "Give the formats that you expect with --image-format.",
    ),
    needs={Part.IMAGES},
)
def image_format(subject: Subject) -> Iterator[Found]:
    """By image with data; high for one that every project may boot."""
    for image in subject.inventory.images:
        if image.disk_format and image.disk_format not in subject.expected.image_formats:
            yield Found(
                image.id,
                subject.where(image.project_id, "image", image.name, image.id),
                f"{image.disk_format}, {image.visibility}",
                (f"openstack image set --deactivate {image.id}",),
                Severity.HIGH if image.visibility == "public" else None,
            )


@register.kind(
    "attachment-mismatch",
    Severity.HIGH,
    "Nova and Cinder disagree about who has a volume",
    rows="CVE-2023-2088",
    why="A volume that Cinder gave away while a host still holds it shows one project's data to another. Deleting an "
    "attachment in Cinder behind Nova's back is how that came about.",
    runbook=(
        "Look again in a minute: an attach or detach that is under way looks the same.",
        "Stop the server, and detach by Nova: openstack server remove volume. Never delete the attachment in Cinder.",
        "See on the host (multipath, iSCSI sessions) that the device is gone before the volume is used again.",
    ),
    needs={Part.SERVERS, Part.VOLUMES, Part.ATTACHMENTS},
)
def attachment_mismatch(subject: Subject) -> Iterator[Found]:
    """By server and volume; critical for a volume with two servers that is not made for it."""
    servers = {server.id: server for server in subject.inventory.servers}
    volumes = {volume.id: volume for volume in subject.inventory.volumes}
    by_cinder: dict[str, set[str]] = {}
    for attachment in subject.inventory.attachments:
        if attachment.server_id and attachment.status != "reserved":
            by_cinder.setdefault(attachment.volume_id, set()).add(attachment.server_id)
    by_nova: dict[str, set[str]] = {}
    for server in servers.values():
        for volume_id in server.volume_ids:
            by_nova.setdefault(volume_id, set()).add(server.id)
    for volume_id in sorted(by_cinder.keys() | by_nova.keys()):
        nova, cinder = by_nova.get(volume_id, set()), by_cinder.get(volume_id, set())
        volume = volumes.get(volume_id)
        project_id = volume.project_id if volume else ""
        where = subject.where(project_id, "volume", volume_id, volume_id)
        everybody = nova | cinder
        show = (f"openstack volume attachment list --volume-id {volume_id} --all-projects",)
        if len(everybody) > 1 and volume is not None and not volume.is_multiattach:
            words = f"with {len(everybody)} servers: {', '.join(sorted(everybody))}"
            yield Found(volume_id, where, words, show, Severity.CRITICAL, also=tuple(sorted(everybody)))
            continue
        for server_id in sorted(nova - cinder):
            missing = "which Cinder does not have at all" if volume is None else "of which Cinder knows nothing"
            yield Found(volume_id, where, f"server {server_id} has it, {missing}", show, also=(server_id,))
        for server_id in sorted(cinder - nova):
            gone = "a server that is gone" if server_id not in servers else f"server {server_id}, which lacks it"
            yield Found(volume_id, where, f"Cinder gave it to {gone}", show, also=(server_id,))

"""Cloud errors in words for a person: what happened and what to do about it."""

import re

from contracts.envelope import Problem

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
MAX_FAULT_CHARACTERS = 400
"""Nova's fault of a failed rebuild can carry the whole request with its user_data (42 kB seen): cut well before that."""

_REMEDIES = (
    (
        r"no valid host|not enough hosts",
        "free or add hypervisors (or bare-metal nodes) that fit the flavor, or take a smaller one",
    ),
    (
        r"(vlan|tunnel id) .*in use",
        "choose another segmentation_id, or leave the choice to Neutron: create another workspace with it",
    ),
    (
        r"claim pci failed",
        "no host has a free virtual function: correct the site file's direct_flavors, or free nodes with direct ports",
    ),
    (r"quota|limit exceeded", "raise the project's quota (section `quotas` of the document), then create again"),
    (
        r"exceeded maximum number of retries|exhausted all hosts",
        "look at the hypervisors' nova-compute logs: each host that was tried failed",
    ),
    (r"build of instance .* aborted|block device mapping", "look at the storage back end, then create again"),
    (r"image .*(not|unacceptable|could not)", "check that the image exists, is active and fits the flavor's disk"),
    (r"failed to allocate the network|binding failed|vif", "check Neutron's agents on the hypervisors"),
    (r"forbidden|not authorized|policy doesn't allow", "give the service's user the role it lacks"),
)


def plain(text: str) -> str:
    """The text on one line, without control or bidirectional characters, bounded in length."""
    line = _UNPRINTABLE.sub(" ", text).strip()
    return line if len(line) <= MAX_FAULT_CHARACTERS else line[: MAX_FAULT_CHARACTERS - 1] + "…"


def problem(what: str, text: str, field: str = "") -> Problem:
    """What a cloud error means for `what`, with the remedy where the error is a known one."""
    fault = plain(text)
    remedy = next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, fault, re.IGNORECASE)), "")
    return Problem(
        field=field,
        reason=f"{what}: {fault or 'OpenStack gives no reason'}",
        remedy=remedy or "mend the cause, then create the workspace again, or delete it",
    )

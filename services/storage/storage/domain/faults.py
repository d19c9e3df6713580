"""What the cloud refused, in words for a person: what was asked, what it said, what to do about it."""

import re

from contracts.envelope import Problem
from storage.domain.observed import printable
from storage.domain.steps import Step

MAX_SAID_CHARACTERS = 400

_REMEDIES = (
    (
        r"quota|limit ?exceeded|overlimit",
        "raise the project's quota (section `quotas` of the document), or ask for less",
    ),
    (
        r"share type|volume type",
        "correct the site file's `share_types` or `volume_type`, or make the type in the cloud",
    ),
    (r"snapshot", "delete the snapshots first; they hold data that somebody kept"),
    (r"protocol", "enable the protocol in Manila, or take another one"),
    (r"forbidden|not authorized|polic(y|ies)|disallowed", "give the service's user the role that it lacks"),
)
_REPETITION = re.compile(r"^\w*(Exception|Error): (\d{3}: )?(Client|Server) Error for url: \S+, ")


def problem_of(step: Step, said: str) -> Problem:
    """Why the step was refused, at the place in the document that asked for it."""
    text = printable(_REPETITION.sub("", said.strip()))[:MAX_SAID_CHARACTERS]
    remedy = next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, text, re.IGNORECASE)), "")
    return Problem(
        field=step.field,
        reason=f"{step.told}: {text or 'OpenStack gives no reason'}",
        remedy=remedy or "mend the cause, then create the workspace again",
    )

"""The page of the audit's findings, from their register: what each means, and what to do about it."""

from collections.abc import Iterable, Iterator

from network_policy.domain.audit.finding import NOT_IN_THE_API, Kind, Severity
from network_policy.domain.audit.kinds import KINDS

PAGE = "docs/runbooks/audit.md"

_INTRODUCTION = """# The audit's findings

Generated from `network_policy/domain/audit/kinds`; change those, then run `make contracts`.

`tresor audit` reads a cloud by GET alone and tells what is wrong with it; [observe first](../observe-first.md) says how to begin.
Each finding names the resource, why it matters, and the command that mends it: the command is yours to run. A finding may be
graver or slighter than its kind where the finding says so, as for a group that no port is in.

A kind is *not judged* while one of the lists that it needs could not be read.
"""


def page() -> str:
    """The page's text."""
    blocks = [_INTRODUCTION, _overview(KINDS), *_kinds(KINDS), _never()]
    return "\n".join(block.rstrip() + "\n" for block in blocks)


def _overview(kinds: Iterable[Kind]) -> str:
    lines = ["| finding | severity | means | rows |", "|---|---|---|---|"]
    for kind in sorted(kinds, key=lambda each: -each.severity):
        rows = ", ".join(kind.rows)
        lines.append(f"| [{kind.name}](#{kind.name}) | {kind.severity.word} | {kind.title} | {rows} |")
    ids = ", ".join(f"{severity.word} {int(severity)}" for severity in sorted(Severity, reverse=True))
    return "\n".join([*lines, "", f"Severities are OCSF's `severity_id`: {ids}."])


def _kinds(kinds: Iterable[Kind]) -> Iterator[str]:
    for kind in kinds:
        steps = "\n".join(f"{number}. {step}" for number, step in enumerate(kind.runbook, start=1))
        needs = ", ".join(sorted(part.value for part in kind.needs))
        yield f"## {kind.name}\n\n{kind.title}: {kind.severity.word}.\n\n{kind.why}\n\n{steps}\n\nReads: {needs}."


def _never() -> str:
    lines = [f"- **{what}**: {why}" for what, why in NOT_IN_THE_API.items()]
    return "\n".join(["## What no API tells", "", "Every audit lists these as not judged.", "", *lines])

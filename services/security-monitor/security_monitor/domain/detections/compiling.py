"""A rule to what judges messages: once, when it is read."""

import hashlib
import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from contracts.openstack.neutron import Resource
from contracts.site import Site
from security_monitor.domain.detections.conditions import condition
from security_monitor.domain.detections.correlating import Correlator, correlator
from security_monitor.domain.detections.fields import Reader, reader_of
from security_monitor.domain.detections.matching import Lists, Matched, Path, Types, selection, union
from security_monitor.domain.detections.record import Record
from security_monitor.domain.detections.rule import BadRule, RuleFile, selections_of
from security_monitor.domain.making import said

MATCH, ENDS = "condition", "ends"
_FIELD = re.compile(r"\{([a-z_.]+)\}")
_LOOP = "security-monitor.finding."
MAX_SHOWN = 255

Writer = Callable[[Record, Resource | None], str]


@dataclass(frozen=True)
class Compiled:
    """A rule, ready to judge."""

    rule: RuleFile
    digest: str
    """Of everything that the rule says: what another version remembered means nothing to this one."""
    stream: str
    types: Types
    parts: tuple[tuple[str, Matched], ...]
    """What a message may fit, by name."""
    correlator: Correlator | None
    counted: Reader | None
    key: tuple[Reader, ...]
    title: Writer
    cause: Writer
    mend: Writer
    idle: str = ""
    """Why it judges nothing; empty: it does."""

    def fits(self, record: Record, resource: Resource | None) -> frozenset[str]:
        """The parts that the message fits."""
        return frozenset(name for name, part in self.parts if part.holds(record, resource))

    def key_of(self, record: Record, resource: Resource | None) -> str:
        """What the finding would be about; as long for any values."""
        values = [[str(each)[:1000] for each in read(record, resource)] for read in self.key]
        return hashlib.sha256(json.dumps(values or [record.message_id]).encode()).hexdigest()[:32]


def lists_of(site: Site) -> dict[str, tuple[str, ...]]:
    """The lists of the site file that rules may name."""
    return {
        "api_addresses": site.api_addresses,
        "api_users": site.api_users,
        "image_ids": site.image_ids,
        "image_formats": site.image_formats,
        "working_hours": ("said",) if site.working_hours else (),
    }


def rule_of(values: Mapping[str, Any]) -> RuleFile:
    """A file's values as a rule. Raises BadRule for the first field that is wrong."""
    try:
        return RuleFile.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        reason = first["msg"].removeprefix("Value error, ")
        raise BadRule(tuple(first["loc"]), reason) from None


def compiled(rule: RuleFile, site: Site) -> Compiled:
    """What the rule looks for, at this site. Raises BadRule."""
    lists = Lists(lists_of(site))
    selections = {name: selection(each, lists, ("detection", name)) for name, each in selections_of(rule).items()}
    parts = dict(selections)
    if "condition" in rule.detection:
        whole = condition(rule.detection["condition"], selections, ("detection", "condition"))
    else:
        whole = None
    found = correlator(rule.correlation, selections, ("correlation",)) if rule.correlation else None
    wanted: dict[str, Matched] = {}
    for name in found.names if found else (MATCH,):
        if name == MATCH and MATCH not in selections:
            if whole is None:
                raise BadRule(("detection",), "there is no condition", "name the selections: condition: a and not b")
            wanted[name] = whole
        else:
            wanted[name] = parts[name]
    if rule.finding.ends is not None:
        if rule.finding.ends not in selections:
            raise BadRule(("finding", "ends"), f"there is no selection '{rule.finding.ends}'")
        wanted[ENDS] = selections[rule.finding.ends]
    types = union(each.types for each in wanted.values())
    if types is None:
        raise BadRule(("detection",), "no type of message is named", "say in a selection which `type` it is about")
    if any(kind.startswith(_LOOP) for kind in types.exact | types.likes):
        raise BadRule(("detection",), "findings are not looked at: a rule would find what it found")
    return Compiled(
        rule,
        hashlib.sha256(rule.model_dump_json(exclude={"tests", "response", "description"}).encode()).hexdigest()[:32],
        rule.logsource.product,
        types,
        tuple(wanted.items()),
        found,
        reader_of(found.field, ("correlation", "field")) if found and found.field else None,
        _key(rule),
        _writer(rule.finding.title, ("finding", "title"), str),
        _writer(rule.finding.cause, ("finding", "cause"), str),
        _writer(rule.finding.mend, ("finding", "mend"), shlex.quote),
        _idle(rule, lists),
    )


def _idle(rule: RuleFile, lists: Lists) -> str:
    if not rule.is_on:
        return f"its status is {rule.status}"
    return f"the site file says no {', '.join(sorted(lists.missing))}" if lists.missing else ""


def _key(rule: RuleFile) -> tuple[Reader, ...]:
    if rule.correlation is not None:
        if rule.finding.key:
            raise BadRule(("finding", "key"), "the key of a correlation is its group-by")
        return tuple(reader_of(name, ("correlation", "group-by")) for name in rule.correlation.group_by)
    if rule.finding.ends is not None and not rule.finding.key:
        raise BadRule(("finding", "key"), "what ends a finding has to have a key in common with it")
    return tuple(reader_of(name, ("finding", "key")) for name in rule.finding.key)


def _writer(text: str, path: Path, quote: Callable[[str], str]) -> Writer:
    """Fills in the fields, as words that can do no harm: one line, bounded, quoted where a shell may read them."""
    pieces = _FIELD.split(text)
    readers = [reader_of(name, path) for name in pieces[1::2]]

    def write(record: Record, resource: Resource | None) -> str:
        words = (quote(said(", ".join(map(str, read(record, resource)[:5])))[:MAX_SHOWN] or "?") for read in readers)
        filled = [pieces[0]]
        for word, after in zip(words, pieces[2::2], strict=True):
            filled += [word, after]
        return "".join(filled)[:2000]

    return write

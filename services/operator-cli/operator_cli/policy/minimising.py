"""`tresor policy minimise`: the fewest rules for what a group permits, with the proof; nothing is sent anywhere."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from operator_cli.exits import Exit, Stop
from operator_cli.options import Output
from operator_cli.printing import Form, console, emit, table

if TYPE_CHECKING:
    from network_policy.domain.hygiene.amendment import Amendment
    from network_policy.domain.hygiene.listing import ListedGroup
    from network_policy.domain.rule import Rule

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 32

Listing = Annotated[
    str,
    typer.Argument(
        metavar="FILE|GROUP",
        help="JSON: Neutron's `security_groups` answer, or what `openstack security group rule list -f json --long` or "
        "`openstack security group show -f json` printed. With --cloud: a group's id or name.",
    ),
]
OnlyGroup = Annotated[str | None, typer.Option("--group", help="Only the group of this id or name.")]


def minimise(
    listing: Listing,
    group: OnlyGroup = None,
    cloud: Annotated[str | None, typer.Option("--cloud", help="Read the group there, by GET.")] = None,
    clouds: Annotated[Path | None, typer.Option("--clouds", help="clouds.yaml (setting clouds_path).")] = None,
    output: Output = Form.TABLE,
) -> None:
    """Fewer rules that permit exactly the same packets, the proof's digest, and the commands that lead there.

    Nothing is sent: the commands are yours to run.
    """
    from network_policy.domain.hygiene.amendment import Unproven, amend

    found = _read(Path(listing)) if cloud is None else _fetch(listing, cloud, clouds)
    groups = [each for each in found if group is None or group in (each.id, each.name)]
    if not groups:
        where = listing if cloud is None else cloud
        raise Stop(Exit.NEGATIVE, f"{where} holds no group{f' {group}' if group else ''}")
    try:
        amendments = [(each, amend(each.id or "GROUP", each.rules, each.unclear)) for each in groups]
    except Unproven as error:
        raise Stop(Exit.FAILED, f"the smaller set is not the same: {error}; nothing is proposed") from None
    if output is Form.TABLE:
        for listed, amendment in amendments:
            _show(listed, amendment)
    else:
        emit(output, [_document(listed, amendment) for listed, amendment in amendments])


def _fetch(name_or_id: str, cloud: str, clouds: Path | None) -> "tuple[ListedGroup, ...]":
    import asyncio

    from network_policy.cloud.auditing import AuditingCloud
    from network_policy.domain.hygiene.listing import read_listing
    from operator_cli.cloud_audit.reading import asked

    bodies = asyncio.run(asked(cloud, clouds, lambda door: AuditingCloud(door).groups_called(name_or_id)))
    return read_listing({"security_groups": list(bodies)})


def _read(path: Path) -> "tuple[ListedGroup, ...]":
    from network_policy.domain.hygiene.listing import NotAListing, read_listing

    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Stop(Exit.USAGE, f"{path} can't be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise Stop(Exit.USAGE, f"{path} is longer than {MAX_BYTES // 1024 // 1024} MiB")
    try:
        return read_listing(_bounded(json.loads(content)))
    except (ValueError, RecursionError) as error:
        raise Stop(Exit.USAGE, f"{path} is no JSON: {str(error)[:200]}") from None
    except NotAListing as error:
        raise Stop(
            Exit.USAGE, f"{path}: {error}", "openstack security group rule list -f json --long > rules.json"
        ) from None


def _bounded(document: Any, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    for each in document.values() if isinstance(document, dict) else document if isinstance(document, list) else ():
        _bounded(each, depth + 1)
    return document


def _show(listed: "ListedGroup", amendment: "Amendment") -> None:
    from network_policy.domain.audit.inventory import plain

    out = console()
    title = plain(f"group {listed.name or listed.id or 'without id'}")
    change = f"{len(amendment.before)} rules, {amendment.rules_after} say the same"
    fewest = "no smaller set exists" if amendment.is_exact else "a smaller set may exist"
    out.print(f"{title}: {change} ({fewest})", markup=False)
    rows = [("keep", each.id, _words(each.rule)) for each in amendment.kept]
    rows += [("make", "", _words(rule)) for rule in amendment.added]
    rows += [("delete", each.id, _words(each.rule)) for each in amendment.removed]
    rows += [("leave alone", rule_id, why) for rule_id, why in amendment.left_alone.items()]
    plainly = [tuple(plain(cell) for cell in row) for row in rows]
    table(("", "rule", "what"), plainly, empty="It has no rules.")
    out.print(f"proof that the packets are the same: {amendment.proof.digest}", markup=False)
    for command in amendment.commands:
        out.print(f"  {plain(command)}", markup=False)


def _words(rule: "Rule") -> str:
    from network_policy.domain.rule import protocol_name

    ports = "" if rule.low is None else f" {rule.low}" if rule.low == rule.high else f" {rule.low}-{rule.high}"
    way = "from" if rule.direction == "ingress" else "to"
    far = rule.remote.value or "anywhere"
    kind = "" if rule.remote.kind.value in ("any", "prefix") else f"{rule.remote.kind.value} "
    return f"{rule.direction} {rule.ethertype} {protocol_name(rule.protocol)}{ports} {way} {kind}{far}"


def _document(listed: "ListedGroup", amendment: "Amendment") -> dict[str, Any]:
    return {
        "group_id": listed.id,
        "name": listed.name,
        "rules": len(amendment.before),
        "rules_after": amendment.rules_after,
        "is_fewest": amendment.is_exact,
        "proof": amendment.proof.digest,
        "keep": [each.id for each in amendment.kept],
        "make": [_words(rule) for rule in amendment.added],
        "delete": [each.id for each in amendment.removed],
        "leave_alone": dict(amendment.left_alone),
        "commands": list(amendment.commands),
    }

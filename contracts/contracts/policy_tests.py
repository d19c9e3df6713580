"""The policy tests: what must and what must not be able to reach what, written by people, held against every proof."""

import re
from ipaddress import ip_network
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from contracts.identifiers import Identifier
from contracts.workspace import Document, PortRange, bounds

MAX_TESTS = 200

_NAMED = r"(role|node|site|zone|workspace):[a-z][a-z0-9-]{0,39}"
_PREFIX = r"prefix:[0-9A-Fa-f.:]{2,39}/[0-9]{1,3}"
_WORD = r"workspace|others|outside|internet|anywhere"
END_PATTERN = rf"^({_NAMED}|{_PREFIX}|{_WORD})$"

TestName = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]*$", strip_whitespace=True
    ),
]
"""One line of words for people, and what a result is known by."""


def _end(text: str) -> str:
    if re.fullmatch(END_PATTERN, text) is None:
        if re.fullmatch(r"[a-z][a-z0-9-]{0,39}", text):
            raise ValueError(f"'{text}' is no end of a test; for a role write role:{text}")
        raise ValueError(
            f"'{text[:60]}' is no end of a test; write role:, node:, site:, zone:, workspace: or prefix: with a name, "
            "or one of workspace, others, outside, internet, anywhere"
        )
    if text.startswith("prefix:"):
        try:
            ip_network(text.removeprefix("prefix:"), strict=True)
        except ValueError:
            raise ValueError(f"'{text}' names no prefix, or one with host bits set") from None
    return text


End = Annotated[str, Field(max_length=60, json_schema_extra={"pattern": END_PATTERN}), AfterValidator(_end)]
"""An end of the traffic that a test is about."""


class PolicyTest(Document):
    """One thing that must hold, in one of three forms.

    `from`, `to` and `expect`: `denied` holds when no packet at all passes; `permitted` when every packet that the test
    names passes. `only` and `reach`: nothing but the listed ends reaches that one. `from` and `reaches_only`: it reaches
    nothing but the listed ends.

    An end is `role:<role>` or `node:<role>-<n>` of the workspace, `workspace` (all its ports), `workspace:<name>`
    (another's), `others` (all ports of other projects), `site:<endpoint>`, `zone:<zone>` or `prefix:<CIDR>` (whoever has
    these addresses), `outside` (all that is beyond the cloud's own ports), `internet` (of that what is globally
    reachable and no place of the site file), or `anywhere`. One end is a role, a node or a workspace.
    """

    name: TestName
    workspace: Identifier | None = None
    """Whose roles and nodes are meant; None: the one that the tests are run for."""
    from_: End | None = Field(default=None, alias="from")
    to: End | None = None
    expect: Literal["denied", "permitted"] | None = None
    only: Annotated[tuple[End, ...], Field(max_length=32)] | None = None
    reach: End | None = None
    reaches_only: Annotated[tuple[End, ...], Field(max_length=32)] | None = None
    protocol: Literal["tcp", "udp", "icmp", "any"] = "any"
    """`any` is every packet; `icmp` is ICMP, or ICMPv6 under IPv6."""
    ports: Annotated[tuple[PortRange, ...], Field(max_length=32)] = ()
    """`22` or `6817-6819`, of tcp or udp; none means all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        given = {
            name
            for name, value in (
                ("from", self.from_),
                ("to", self.to),
                ("expect", self.expect),
                ("only", self.only),
                ("reach", self.reach),
                ("reaches_only", self.reaches_only),
            )
            if value is not None
        }
        forms = ({"from", "to", "expect"}, {"only", "reach"}, {"from", "reaches_only"})
        if given not in forms:
            raise ValueError(
                f"a test has from, to and expect; or only and reach; or from and reaches_only; "
                f"here are {', '.join(sorted(given)) or 'none of them'}"
            )
        return self

    @model_validator(mode="after")
    def _is_about_a_workspace(self) -> Self:
        told = tuple(each for each in (self.from_, self.to, self.reach) if each is not None)
        if not any(each == "workspace" or each.partition(":")[0] in ("role", "node", "workspace") for each in told):
            raise ValueError("one end must be a role:, a node:, workspace or workspace:<name>: only those have rules")
        if self.expect == "permitted" and (vague := {"others", "outside", "anywhere"} & set(told)):
            raise ValueError(f"'{min(vague)}' can be denied, but not permitted as a whole; name who is meant")
        return self

    @model_validator(mode="after")
    def _ports_fit_protocol(self) -> Self:
        if self.ports and self.protocol not in ("tcp", "udp"):
            raise ValueError(f"{self.protocol} takes no ports; give `protocol: tcp` or udp with them")
        return self

    def port_ranges(self) -> tuple[tuple[int, int], ...]:
        """The ports as inclusive pairs; empty for all."""
        return tuple(map(bounds, self.ports))

    @property
    def ends(self) -> tuple[str, ...]:
        """All ends that the test names."""
        single = (each for each in (self.from_, self.to, self.reach) if each is not None)
        return (*single, *(self.only or ()), *(self.reaches_only or ()))


class PolicyTests(Document):
    """A file of policy tests. See `docs/policy-tests.md`."""

    api_version: Literal["tresor/v1"] = Field(default="tresor/v1", alias="apiVersion")
    kind: Literal["PolicyTests"] = "PolicyTests"
    workspace: Identifier | None = None
    """Whose tests these are, where a test does not say it itself."""
    tests: Annotated[tuple[PolicyTest, ...], Field(min_length=1, max_length=MAX_TESTS)]

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="after")
    def _one_name_each(self) -> Self:
        seen: set[tuple[str | None, str]] = set()
        for test in self.tests:
            key = (test.workspace or self.workspace, test.name)
            if key in seen:
                raise ValueError(f"two tests are called '{test.name}'; a result is known by its test's name")
            seen.add(key)
        return self

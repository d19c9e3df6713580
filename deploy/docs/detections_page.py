"""The page of the detection rules that come with security-monitor: what each looks for, and what to do about it."""

from collections.abc import Iterable, Iterator

from contracts.site import Site
from security_monitor.domain.detections import RuleFile
from security_monitor.store.rule_files import RuleFiles

PAGE = "docs/runbooks/detections.md"
_GRAVEST_FIRST = ("critical", "high", "medium", "low", "informational")

_INTRODUCTION = """# What the detection rules find

Generated from `services/security-monitor/security_monitor/rules`; change those, then run `make contracts`.

`tresor detections list` says which of them are in force, and [detections](../detections.md) how rules are written. Where a rule needs
a list of the site file, it looks for nothing until the file has it.
"""


def page() -> str:
    """The page's text."""
    loaded = RuleFiles(Site(name="example")).loaded
    rules = [each.compiled.rule for _, each in sorted(loaded.items())]
    needs = {name: each.compiled.idle for name, each in loaded.items()}
    rules.sort(key=lambda rule: (_GRAVEST_FIRST.index(rule.level), rule.id))
    return "\n".join(block.rstrip() + "\n" for block in (_INTRODUCTION, _overview(rules), *_sections(rules, needs)))


def _overview(rules: Iterable[RuleFile]) -> str:
    lines = ["| rule | severity | means | tags |", "|---|---|---|---|"]
    lines += [f"| [{rule.id}](#{rule.id}) | {rule.level} | {rule.title} | {', '.join(rule.tags)} |" for rule in rules]
    return "\n".join(lines)


def _sections(rules: Iterable[RuleFile], needs: dict[str, str]) -> Iterator[str]:
    for rule in rules:
        blocks = [f"## {rule.id}", f"{rule.title}: {rule.level}.", rule.description]
        if needs[rule.id]:
            wanted = needs[rule.id].removeprefix("the site file says no ")
            blocks.append(f"Needs `{wanted}` in the site file.")
        if rule.falsepositives:
            blocks.append(f"May be harmless: {'; '.join(rule.falsepositives)}.")
        blocks.append("\n".join(f"{number}. {step}" for number, step in enumerate(rule.response, start=1)))
        yield "\n\n".join(blocks)

"""How policy tests came out: as a table, as JUnit's XML, and as an exit code."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from contracts.network_policy import Counterexample, PolicyTestResult
from operator_cli.exits import Exit, Stop
from operator_cli.printing import Form, coloured, emit, table

if TYPE_CHECKING:
    from contracts.network_policy import PolicyTestsRun

_GOOD = {"passed": True, "failed": False, "skipped": None, "not-run": None}
_NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 can't carry, escaped or not."""


def show(results: Sequence[PolicyTestResult], title: str = "") -> None:
    """A row a test; for a failed one the packet too."""
    rows = [
        (
            coloured(one.result, _GOOD[one.result]),
            one.workspace,
            one.name,
            say_packet(one.packet) if one.packet else one.reason,
        )
        for one in results
    ]
    table(("result", "workspace", "test", "why"), rows, title=title, empty="There is no test to run.")


def say_packet(packet: Counterexample) -> str:
    """Source, destination and what lets it pass, on two lines."""
    kind = f"{packet.protocol}/{packet.port}" if packet.port is not None else packet.protocol
    ends = f"{packet.source} {packet.source_address} > {packet.destination} {packet.destination_address} {kind}"
    rules = f"\nrules: {', '.join(packet.rule_ids)}" if packet.rule_ids else ""
    return f"{packet.why}\n{ends}{rules}"


def tell(answer: "PolicyTestsRun", output: Form, junit: Path | None, *, strict: bool, title: str = "") -> None:
    """Print the results, write them as JUnit's XML too where that is asked for, and end with 1 when one failed."""
    if junit is not None:
        try:
            junit.write_bytes(to_junit(answer.results))
        except OSError as error:
            raise Stop(Exit.USAGE, f"{junit} can't be written: {error.strerror}") from None
    if output is Form.TABLE:
        show(answer.results, title)
    else:
        emit(output, answer.model_dump(mode="json"))
    end(answer.results, strict=strict)


def end(results: Sequence[PolicyTestResult], *, strict: bool) -> None:
    """Raises Stop when a test failed; `strict`: also when one had nothing to try."""
    failed = [one.name for one in results if one.result == "failed"]
    skipped = [one.name for one in results if one.result == "skipped"]
    if failed:
        raise Stop(Exit.NEGATIVE, f"{len(failed)} of {len(results)} policy tests failed: {'; '.join(failed)}")
    if strict and skipped:
        raise Stop(Exit.NEGATIVE, f"{len(skipped)} of {len(results)} policy tests had nothing to try")


def to_junit(results: Sequence[PolicyTestResult]) -> bytes:
    """The results as CI systems read them: a suite a workspace, a case a test."""
    suites = ElementTree.Element("testsuites", {"name": "policy tests", **_counts(results)})
    for workspace in sorted({one.workspace for one in results}):
        own = [one for one in results if one.workspace == workspace]
        suite = ElementTree.SubElement(suites, "testsuite", {"name": _clean(workspace), **_counts(own)})
        for one in own:
            case = ElementTree.SubElement(
                suite, "testcase", classname=f"policy.{_clean(workspace)}", name=_clean(one.name), time="0"
            )
            if one.result == "failed":
                failure = ElementTree.SubElement(case, "failure", message=_clean(one.reason), type="policy")
                failure.text = _clean(say_packet(one.packet)) if one.packet else None
            elif one.result == "skipped":
                ElementTree.SubElement(case, "skipped", message=_clean(one.reason))
    ElementTree.indent(suites)
    text = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _counts(results: Sequence[PolicyTestResult]) -> dict[str, str]:
    return {
        "tests": str(len(results)),
        "failures": str(sum(one.result == "failed" for one in results)),
        "errors": "0",
        "skipped": str(sum(one.result == "skipped" for one in results)),
        "time": "0",
    }


def _clean(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", text)

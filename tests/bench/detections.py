"""What the shipped detection rules cost: `python -m tests.bench.detections`.

The recorded stream of a real OpenStack, as rows of the audit log, judged in pages as the service judges them: those whose types
some rule names are decoded and judged; the database leaves out the others by their type. CPU seconds of this process; the database's
part, which picks the rows, and what is written for findings are not in them.
"""

import argparse
import json
import sys
import time
from datetime import UTC, datetime

from contracts.audit import OPENSTACK, Row
from contracts.site import Site
from security_monitor.domain.detections import (
    Compiled,
    Judgement,
    Known,
    Place,
    Record,
    Remembered,
    RuleSet,
    record_of_notification,
)
from security_monitor.handlers.notifications import entry_of
from security_monitor.store.rule_files import RuleFiles
from shared.notifications import Raw, decode, seal
from tests.shared.recording import recorded

PAGE_ROWS = 200
SITE = Site.model_validate(
    {
        "name": "bench",
        "api_addresses": ["10.0.0.0/8"],
        "api_users": ["nova", "neutron"],
        "image_ids": ["e83e190e-687d-43c5-8070-5ae95f40a010"],
        "working_hours": {},
    }
)


def _failed(_: Compiled, __: Record, error: Exception) -> None:
    raise error


def _rows(passes: int) -> list[Row]:
    """The stream so many times over."""
    now = datetime(2026, 11, 21, tzinfo=UTC)
    entries = [entry_of(seal(raw)) for raw in recorded()]
    return [
        Row(OPENSTACK, number * len(entries) + index + 1, now, entry, b"")
        for number in range(passes)
        for index, entry in enumerate(entries)
    ]


def judge(rules: RuleSet, rows: list[Row], known: Known, memories: dict[Place, Remembered]) -> Judgement:
    """One page, as `handlers.detections` does it."""
    records = [record_of_notification(row, decode(Raw(row.entry.body, "", "")), known) for row in rows]
    judgement = rules.judge(rules.hits(records, _failed), memories, _failed)
    for place, memory in judgement.memories.items():
        memories.pop(place, None)
        if memory is not None:
            memories[place] = memory
    return judgement


def measure(passes: int) -> dict[str, float]:
    """Figures by name."""
    rules, known = RuleFiles(SITE).rules, Known(SITE)
    rows = _rows(passes)
    types = rules.types(OPENSTACK)
    named = [row for row in rows if types.has(row.entry.type)]
    memories: dict[Place, Remembered] = {}
    found = 0
    began = time.process_time()
    for first in range(0, len(named), PAGE_ROWS):
        found += len(judge(rules, named[first : first + PAGE_ROWS], known, memories).outcome)
    judged = time.process_time() - began
    began = time.process_time()
    for row in named:
        decode(Raw(row.entry.body, "", ""))
    decoded = time.process_time() - began
    return {
        "rules": float(len([each for each in rules.rules.values() if not each.idle])),
        "notifications": float(len(rows)),
        "named_by_a_rule_percent": 100 * len(named) / len(rows),
        "found": float(found),
        "cpu_us_per_named_notification": judged / len(named) * 1e6,
        "of_that_decoding_us": decoded / len(named) * 1e6,
        "cpu_us_per_notification": judged / len(rows) * 1e6,
    }


def report(figures: dict[str, float]) -> str:
    """The figures as lines to read."""
    lines = ["detections, CPU time of this process"]
    return "\n".join([*lines, *(f"  {name.replace('_', ' '):34} {value:10,.1f}" for name, value in figures.items())])


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.detections", description=__doc__)
    parser.add_argument("--passes", type=int, default=20, help="how often the recorded stream is judged")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.passes)
    if arguments.json:
        print(json.dumps(figures))
        return 0
    print(report(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())

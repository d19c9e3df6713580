"""All checks in order, shown as they are made."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, replace
from pathlib import Path

from operator_cli.doctor.check import Check
from operator_cli.exits import Exit, Stop
from operator_cli.printing import Form, console, emit
from operator_cli.settings import Settings, load

_STYLES = {"OK": "green", "WARN": "yellow", "FAIL": "bold red", "SKIP": "dim"}


def examine(form: Form, clouds: Path | None, listen_seconds: float) -> None:
    """The body of `tresor doctor`. Exit code 1 when a check fails."""
    settings = load()
    if clouds is not None:
        settings = replace(settings, clouds_path=clouds)
    found = asyncio.run(_all(form, settings, listen_seconds))
    if form is not Form.TABLE:
        emit(form, [asdict(check) for check in found])
    counts = {state: sum(check.state == state for check in found) for state in _STYLES}
    if form is Form.TABLE:
        console().print(", ".join(f"{count} {state}" for state, count in counts.items() if count))
    if counts["FAIL"]:
        raise Stop(Exit.NEGATIVE, f"{counts['FAIL']} check{'s' if counts['FAIL'] > 1 else ''} failed")


async def _all(form: Form, settings: Settings, listen_seconds: float) -> list[Check]:
    made = []
    area = ""
    async with aclosing(_every(settings, listen_seconds)) as checks:
        async for check in checks:
            made.append(check)
            if form is Form.TABLE:
                if check.area != area:
                    area = check.area
                    console().print(f"[bold]{area}[/bold]")
                _show(check)
    return made


async def _every(settings: Settings, listen_seconds: float) -> AsyncGenerator[Check, None]:
    from operator_cli.doctor import broker, cloud, openstack_bus, rights, services

    for checks in (
        broker.checks(settings),
        rights.checks(settings),
        services.checks(settings),
        openstack_bus.checks(settings, listen_seconds),
        cloud.checks(settings, settings.clouds_path),
    ):
        async with aclosing(checks):
            async for check in checks:
                yield check


def _show(check: Check) -> None:
    from rich.text import Text

    line = Text("  ")
    line.append(f"{check.state:<5}", style=_STYLES[check.state])
    line.append(f"{check.name}: {check.detail}")
    out = console()
    out.print(line)
    if check.remedy:
        out.print(Text(f"       → {check.remedy}", style="italic"))

"""The command: read, judge, show, and end with a code that a script can rely on."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from operator_cli.exits import Exit, Stop
from operator_cli.options import Output
from operator_cli.printing import Form, emit, say

if TYPE_CHECKING:
    from network_policy.domain.audit.inventory import Inventory
    from network_policy.domain.audit.report import Report
    from network_policy.domain.audit.subject import Expected


def audit(
    cloud: Annotated[str, typer.Option("--cloud", help="The entry of clouds.yaml: an account that may only read.")],
    clouds: Annotated[Path | None, typer.Option("--clouds", help="clouds.yaml (setting clouds_path).")] = None,
    site: Annotated[Path | None, typer.Option("--site", help="The site file (setting site_path).")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write the report as one file for a browser.")] = None,
    output: Output = Form.TABLE,
    image_format: Annotated[
        list[str] | None, typer.Option("--image-format", help="A disk format that is expected (raw and qcow2).")
    ] = None,
    all_projects: Annotated[
        bool,
        typer.Option("--all-projects", help="The account's role reads every project, though it is not `admin`."),
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Every finding and every pair of projects in the table.")
    ] = False,
) -> None:
    """Read a whole cloud, only by GET, and tell what is wrong with it and which command mends it.

    Exit code 1 on a critical finding, else 7 when something could not be judged.
    """
    from network_policy.domain.audit.report import audit as judge
    from operator_cli.cloud_audit import page, table
    from operator_cli.settings import load

    settings = load()
    expected = _expected(site or settings.site_path, image_format)
    if html is not None and not html.parent.is_dir():
        raise Stop(Exit.USAGE, f"there is no folder {html.parent} to write {html.name} to")
    inventory = asyncio.run(_read(cloud, clouds, all_projects=all_projects))
    if site is None and settings.site_path is None:
        inventory = _without_site(inventory)
    report = judge(inventory, expected)
    if html is not None:
        try:
            html.write_text(page.page(report, cloud), encoding="utf-8")
        except OSError as error:
            raise Stop(Exit.USAGE, f"{html} can't be written: {error.strerror}") from None
        say(f"wrote {html}")
    if output is Form.TABLE:
        table.show(report, full=full)
    else:
        emit(output, report.as_document())
    end(report)


def end(report: "Report") -> None:
    """The exit code. Raises Stop unless there is nothing critical and nothing unread."""
    if report.critical:
        count = len(report.critical)
        raise Stop(Exit.NEGATIVE, f"{count} critical finding{'s' if count > 1 else ''}", "docs/runbooks/audit.md")
    if report.unread:
        raise Stop(
            Exit.NOT_JUDGED,
            f"nothing critical was found, and {len(report.unread)} things could not be judged",
            "see `not judged` above; docs/observe-first.md tells which account can read them",
        )


async def _read(name: str, path: Path | None, *, all_projects: bool) -> "Inventory":
    from network_policy.cloud.auditing import AuditingCloud
    from operator_cli.cloud_audit.reading import asked

    def progress(words: str, count: int) -> None:
        say(f"  {count:>7} {words}" if count else f"        - {words}")

    say(f"reading {name} …")
    return await asked(
        name, path, lambda cloud: AuditingCloud(cloud).inventory(sees_everything=all_projects, progress=progress)
    )


def _expected(path: Path | None, formats: list[str] | None) -> "Expected":
    from network_policy.domain.audit.subject import Expected

    known = frozenset(formats) if formats else Expected().image_formats
    if path is None:
        return Expected(image_formats=known)
    from shared.errors import Configuration
    from shared.settings import load_site

    try:
        site = load_site(path)
    except Configuration as error:
        raise Stop(Exit.USAGE, str(error)) from None
    named = [
        *(prefix for zone in site.zones.values() for prefix in zone.prefixes),
        *(prefix for endpoint in site.endpoints.values() for prefix in endpoint.prefixes),
    ]
    return Expected(
        places=tuple(dict.fromkeys(named)),
        reserved=site.reserved_prefixes,
        internal=site.internal_api_network,
        internal_prefixes=site.internal_api_prefixes,
        image_formats=known,
    )


def _without_site(inventory: "Inventory") -> "Inventory":
    from dataclasses import replace

    from network_policy.domain.audit.inventory import Part

    why = "none was given: --site names the site's own prefixes"
    return replace(inventory, unread={**inventory.unread, Part.SITE: why})

"""security-monitor as a process: `python -m security_monitor.main`.

`python -m security_monitor.main export` writes the audit log to the standard output instead, for `tresor audit-log verify`.
"""

import asyncio
import sys

from security_monitor.handlers import Context, handlers
from security_monitor.settings import Settings
from security_monitor.store import audit
from security_monitor.store.rule_files import BadRuleFile, RuleFiles
from security_monitor.store.siem_file import SiemFile
from shared.clock import SystemClock
from shared.cloud import Cloud
from shared.db import close, open_pool, transaction
from shared.errors import Configuration
from shared.service import run
from shared.settings import load_site


async def make_context(settings: Settings, _: Cloud | None) -> Context:
    """What the handlers use; no cloud: this service changes nothing there."""
    siem = None
    if settings.siem_path is not None:
        siem = SiemFile(settings.siem_path, settings.siem_file_mebibytes * 2**20, settings.siem_files)
    site = load_site(settings.site_path)
    try:
        files = RuleFiles(site, settings.detections_path)
    except BadRuleFile as error:
        raise Configuration(f"a rule that comes with the service can't be used: {error}") from None
    return Context(siem, site, files, settings.siem_seconds, settings.detection_seconds)


async def export(settings: Settings) -> None:
    """The audit log as JSON lines, as it stands at the beginning."""
    pool = await open_pool(settings.database_dsn.get_secret_value(), handlers.service, SystemClock(), size=2)
    try:
        async with transaction(pool, readonly=True) as connection:
            async for line in audit.export(connection):
                print(line)
    finally:
        await close(pool)


def main() -> None:
    """Run until told to stop."""
    if sys.argv[1:] == ["export"]:
        asyncio.run(export(Settings()))
        return
    run(Settings, handlers, make_context)


if __name__ == "__main__":
    main()

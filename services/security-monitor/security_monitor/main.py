"""security-monitor as a process: `python -m security_monitor.main`."""

from security_monitor.handlers import Context, handlers
from security_monitor.settings import Settings
from security_monitor.store.siem_file import SiemFile
from shared.cloud import Cloud
from shared.service import run


async def make_context(settings: Settings, _: Cloud | None) -> Context:
    """What the handlers use; no cloud: this service changes nothing there."""
    siem = None
    if settings.siem_path is not None:
        siem = SiemFile(settings.siem_path, settings.siem_file_mebibytes * 2**20, settings.siem_files)
    return Context(siem=siem, siem_seconds=settings.siem_seconds)


def main() -> None:
    """Run until told to stop."""
    run(Settings, handlers, make_context)


if __name__ == "__main__":
    main()

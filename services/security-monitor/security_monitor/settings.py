"""security-monitor's settings, beside every service's."""

from pathlib import Path

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """From `TRESOR_…` variables or files of the secrets directory."""

    siem_path: Path | None = None
    """The SIEM's file: OCSF events as JSON lines; None: no file is written, the audit log keeps everything all the same."""
    siem_seconds: float = Field(default=1.0, gt=0)
    """How often what is new in the audit log is written there."""
    siem_file_mebibytes: int = Field(default=64, ge=1)
    """The file is rotated at that size."""
    siem_files: int = Field(default=10, ge=1, le=1000)
    """How many rotated files are kept."""
    detections_path: Path | None = None
    """A folder of the site's own detection rules, `*.yaml`; read again when it changes. None: the shipped rules alone."""
    detection_seconds: float = Field(default=0.5, gt=0)
    """How often what is new in the audit log is judged."""

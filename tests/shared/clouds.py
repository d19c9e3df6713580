"""A clouds.yaml for a twin."""

import json
from pathlib import Path
from typing import Any

from twin.testing import RunningTwin


def written(folder: Path, twin: RunningTwin, user: str, password: str | None = None) -> Path:
    """The file for that user of the twin's; another password than theirs may stand in it."""
    entry: dict[str, Any] = twin.clouds(user)
    if password:
        entry["auth"]["password"] = password
    path = folder / "clouds.yaml"
    path.write_text(json.dumps({"clouds": {user: entry}}))
    return path

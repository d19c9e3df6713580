"""What the tests of `tresor audit` share: the command on a cloud, and a site file."""

import json
from pathlib import Path
from typing import Any

import yaml

from tests.operator_cli.conftest import Tresor
from twin.testing import RunningTwin

SITE = {
    "name": "site",
    "zones": {"clinic": {"prefixes": ["192.0.2.0/26"]}},
    "endpoints": {"jumphosts": {"prefixes": ["203.0.113.0/28"]}},
    "reserved_prefixes": ["10.200.0.0/16"],
    "internal_api_network": "shared",
}


async def audited(
    tresor: Tresor, twin: RunningTwin, *more: str, cloud: str = "twin"
) -> tuple[int, dict[str, Any], str]:
    ended = await tresor("audit", "--clouds", str(twin.clouds_file), "--cloud", cloud, "-o", "json", *more)
    return ended.code, json.loads(ended.out) if ended.out else {}, ended.err


def site_file(folder: Path) -> str:
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(SITE))
    return str(path)

"""`clouds.yaml` for the twin: `python -m twin.clouds --auth-url URL [--output FILE]`."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from twin.settings import SERVICE_USERS, TwinSettings


def clouds(auth_url: str, settings: TwinSettings) -> dict[str, Any]:
    """The entries `twin` and `lab` (the administrator), `twin-system` and `lab-system` (system scope), and one for each
    Tresor service under its own user's name."""

    def entry(username: str, password: str, scope: dict[str, str]) -> dict[str, Any]:
        auth = {
            "auth_url": auth_url,
            "username": username,
            "password": password,
            "user_domain_name": "Default",
            **scope,
        }
        return {"region_name": "RegionOne", "identity_api_version": "3", "auth": auth}

    admin_project = {"project_name": "admin", "project_domain_name": "Default"}
    service_project = {"project_name": "service", "project_domain_name": "Default"}
    entries: dict[str, Any] = {}
    for name in ("twin", "lab"):
        entries[name] = entry("admin", settings.admin_password, admin_project)
        entries[f"{name}-system"] = entry("admin", settings.admin_password, {"system_scope": "all"})
    for user in SERVICE_USERS:
        entries[user] = entry(user, settings.service_password, service_project)
    return {"clouds": entries}


def write(path: Path, auth_url: str, settings: TwinSettings) -> None:
    """Writes the file, readable by its owner only. JSON is YAML."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(clouds(auth_url, settings), indent=2) + "\n")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m twin.clouds", description=__doc__)
    parser.add_argument("--auth-url", required=True, help="as in http://127.0.0.1:5000/identity/v3")
    parser.add_argument("--output", type=Path, help="the file to write; standard output without it")
    arguments = parser.parse_args()
    settings = TwinSettings()
    if arguments.output is None:
        sys.stdout.write(json.dumps(clouds(arguments.auth_url, settings), indent=2) + "\n")
    else:
        write(arguments.output, arguments.auth_url, settings)


if __name__ == "__main__":
    main()

"""compose.yaml and the Dockerfile, where no docker daemon is to be had: the schema, and what they name exists and fits."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bootstrap.console import Console
from bootstrap.deployment import write_deployment
from bootstrap.places import CHECKOUT
from rabbitmq.grants import SERVICES

COMPOSE = CHECKOUT / "compose.yaml"


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deployment")
    write_deployment(folder, Console(quiet=True))
    return folder


def check_schema(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_is_valid_by_the_compose_specification(tmp_path: Path) -> None:
    done = check_schema(COMPOSE)
    assert done.returncode == 0, done.stdout
    broken = tmp_path / "compose.yaml"
    broken.write_text(COMPOSE.read_text().replace("restart: unless-stopped", "restarts: unless-stopped", 1))
    assert check_schema(broken).returncode != 0


def test_every_file_it_names_is_made_by_the_deployment(composed: dict[str, Any], deployment: Path) -> None:
    for kind in ("secrets", "configs"):
        for name, entry in composed[kind].items():
            path = re.sub(r"\$\{TRESOR_DEPLOYMENT:\?[^}]*\}", str(deployment), entry["file"])
            assert "$" not in path
            assert (CHECKOUT / path).exists(), f"{kind} {name}: {path}"


def test_only_security_monitor_writes_and_only_the_siems_events(composed: dict[str, Any], deployment: Path) -> None:
    written = {
        name: [mount for mount in entry.get("volumes", []) if isinstance(mount, dict)]
        for name, entry in composed["services"].items()
        if name in SERVICES
    }
    (mount,) = written.pop("security-monitor")
    assert not any(written.values())
    path = composed["services"]["security-monitor"]["environment"]["TRESOR_SIEM_PATH"]
    assert Path(path).parent == Path(mount["target"])
    folder = Path(re.sub(r"\$\{TRESOR_DEPLOYMENT:\?[^}]*\}", str(deployment), mount["source"]))
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o007 == 0


def test_everything_declared_is_used_and_the_other_way_round(composed: dict[str, Any]) -> None:
    for kind in ("secrets", "configs"):
        used = {entry["source"] for service in composed["services"].values() for entry in service.get(kind, [])}
        assert used == set(composed[kind])


def test_all_services_are_there_each_with_only_its_own_secrets(composed: dict[str, Any]) -> None:
    assert set(composed["services"]) == {*SERVICES, "broker", "database", "twin"}
    for service in SERVICES:
        entry = composed["services"][service]
        assert all(secret["source"].startswith(f"{service}-") for secret in entry["secrets"])
        assert {"tresor_amqp_url", "tresor_database_dsn", "signing_key"} <= {
            secret["target"] for secret in entry["secrets"]
        }
        assert entry["build"]["args"] == {"SERVICE": service}
        assert entry["read_only"] is True
        assert entry["cap_drop"] == ["ALL"]
        assert entry["depends_on"] == {
            "broker": {"condition": "service_healthy"},
            "database": {"condition": "service_healthy"},
        }
    assert all("healthcheck" in entry for entry in composed["services"].values())
    assert composed["services"]["twin"]["profiles"] == ["demo"]


def test_what_is_published_is_published_to_the_loopback_address(composed: dict[str, Any]) -> None:
    ports = [port for entry in composed["services"].values() for port in entry.get("ports", [])]
    assert ports
    assert all(str(port).startswith("127.0.0.1:") for port in ports)


def test_secrets_are_for_their_owner_alone(deployment: Path) -> None:
    assert deployment.stat().st_mode & 0o777 == 0o700
    hashed = {"definitions.json", "passwords.sql", "keyring.json", "site.yaml", ".env"}
    files = [path for path in deployment.rglob("*") if path.is_file()]
    assert {path.name for path in files if path.stat().st_mode & 0o077} == hashed
    passwords = [path.read_text() for folder in ("broker", "database") for path in (deployment / folder).iterdir()
                 if path.name not in hashed]  # fmt: skip
    assert len(passwords) == len(set(passwords)) == 14
    for name in ("broker/definitions.json", "database/passwords.sql", "keyring.json", ".env"):
        text = (deployment / name).read_text()
        assert not any(password in text for password in passwords)


def test_a_second_run_changes_nothing(deployment: Path) -> None:
    before = {path: path.read_bytes() for path in deployment.rglob("*") if path.is_file()}
    write_deployment(deployment, Console(quiet=True))
    assert before == {path: path.read_bytes() for path in deployment.rglob("*") if path.is_file()}


def test_the_containers_user_may_read_its_secrets_and_is_not_root(deployment: Path) -> None:
    variables = dict(line.split("=", 1) for line in (deployment / ".env").read_text().splitlines())
    assert int(variables["TRESOR_UID"]) != 0
    for service in SERVICES:
        for path in (deployment / service).iterdir():
            assert path.stat().st_uid == int(variables["TRESOR_UID"])
    if os.getuid():
        assert int(variables["TRESOR_UID"]) == os.getuid()


def test_the_ignore_file_lets_in_what_the_image_copies() -> None:
    kept = [line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for line in (CHECKOUT / "deploy" / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            source = line.split()[1].replace("${MEMBER}", "services/storage").replace("${LOCK}", "services")
            assert (CHECKOUT / source).exists()
            assert any(source == entry or source.startswith(f"{entry}/") for entry in kept), source

"""The generated files are as the models say; every example is valid; an incompatible commit fails the check."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from contracts.catalog import MESSAGES
from contracts.envelope import Command, Query
from contracts.examples import DOCUMENT
from contracts.generate.__main__ import ROOT, broken, differences, files, to_json
from contracts.generate.asyncapi import asyncapi
from contracts.generate.schemas import envelope_of, example_of, schemas
from contracts.generate.yaml_text import to_yaml

SCHEMAS = schemas()


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(SCHEMAS[name], format_checker=Draft202012Validator.FORMAT_CHECKER)


def test_the_committed_files_are_as_the_models_say() -> None:
    assert differences(ROOT) == []


def test_generating_again_gives_the_same_bytes() -> None:
    command = [
        sys.executable,
        "-c",
        "from contracts.generate.__main__ import files; print(repr(sorted(files().items())))",
    ]
    twice = {subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2)}
    assert len(twice) == 1
    assert repr(sorted(files().items())).encode() == next(iter(twice)).strip()


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_each_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_the_example_with_its_envelope_is_valid(name: str) -> None:
    message = MESSAGES[name]
    example = example_of(message)
    validator(name).validate(example)
    envelope = envelope_of(message)
    if envelope is not None:
        envelope.model_validate(example)
    message.model_validate(example["data"])


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_what_the_model_refuses_the_schema_refuses(name: str) -> None:
    """Another type, a field too many, one too few."""
    example = example_of(MESSAGES[name])
    assert not validator(name).is_valid({**example, "type": "another.type.said"})
    assert not validator(name).is_valid({**example, "data": {**example["data"], "undeclared": 1}})
    for field in SCHEMAS[name]["properties"]["data"].get("required", ()):
        less = copy.deepcopy(example)
        del less["data"][field]
        assert not validator(name).is_valid(less), field


@pytest.mark.parametrize(
    ("change", "is_good"),
    [
        ({}, True),
        ({"sensitivity": "secret"}, False),
        ({"roles": []}, False),
        ({"roels": []}, False),
        ({"storage": {"shares": [{"name": "home", "size_gib": 0, "access": {}}]}}, False),
        ({"expiry": "soon"}, False),
    ],
)
def test_the_workspace_documents_schema(change: dict[str, Any], is_good: bool) -> None:
    assert validator("workspace-document").is_valid({**DOCUMENT, **change}) == is_good


def test_the_demos_files_fit_their_schemas() -> None:
    document = yaml.load((ROOT / "deploy/demo/openhpc.yaml").read_text(), Loader=yaml.BaseLoader)
    site = yaml.load((ROOT / "deploy/demo/site.yaml").read_text(), Loader=yaml.BaseLoader)
    assert document["kind"] == "Workspace"
    assert set(document) <= set(SCHEMAS["workspace-document"]["properties"])
    assert set(site) <= set(SCHEMAS["site-file"]["properties"])


def test_asyncapi_names_every_message_once_and_its_references_lead_somewhere() -> None:
    document = yaml.safe_load((ROOT / "contracts/asyncapi.yaml").read_text())
    assert document == json.loads(json.dumps(asyncapi()))
    assert document["asyncapi"] == "3.0.0"
    assert set(document["channels"]) == set(document["components"]["messages"]) == set(MESSAGES)
    for reference in _references(document):
        if reference.startswith("./"):
            assert (ROOT / "contracts" / reference).exists(), reference
            continue
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
    asked = {name for name, message in MESSAGES.items() if issubclass(message, Command | Query)}
    assert {name.partition(".")[2] for name in document["operations"] if name.startswith("receive.")} == asked


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for inner in value.values() for found in _references(inner)]
    return [found for inner in value for found in _references(inner)] if isinstance(value, list) else []


def test_messages_page_shows_every_message() -> None:
    page = (ROOT / "docs/reference/messages.md").read_text()
    for name, message in MESSAGES.items():
        suffix = name.partition(".")[2]
        assert f"### {name}\n" in page or f"### <service>.{suffix}\n" in page
        assert message.__doc__, f"{name} says nothing of itself"


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1, "b": [1, "x", {"c": None, "d": [], "e": {}}], "f": [[1, 2], [3]]},
        ["yes", "no", "null", "1", "1.0", "", " a", "a: b", "#", "- a", "3.0.0", "ä", "a\nb", "~", "on", True, 0.5],
        {"$ref": "#/a/b", "key with: colon": "x", "1": 2, "true": "false", "k": "* a"},
        [],
    ],
)
def test_yaml_reads_back_as_written(value: Any) -> None:
    assert yaml.safe_load(to_yaml(value)) == value


def git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True)


def commit_schemas(root: Path, changed: dict[str, dict[str, Any]]) -> None:
    folder = root / "contracts/schemas"
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in changed.items():
        (folder / f"{name}.json").write_text(to_json(schema))
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "schemas", "--allow-empty")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository whose last commit holds the schemas as they are."""
    git(tmp_path, "init", "-q")
    commit_schemas(tmp_path, SCHEMAS)
    return tmp_path


def test_the_same_schemas_are_compatible_with_the_last_commit(checkout: Path) -> None:
    assert broken(checkout, None) == []
    assert broken(checkout, "HEAD") == []


def test_a_field_that_the_last_commit_had_is_missed(checkout: Path) -> None:
    """As if this change of the models removed a field and a message."""
    before = copy.deepcopy(SCHEMAS["storage.workspace.ready"])
    before["properties"]["data"]["properties"]["gone"] = {"type": "string"}
    commit_schemas(checkout, {"storage.workspace.ready": before, "storage.workspace.lost": before})
    found = broken(checkout, None)
    assert "storage.workspace.ready.data.gone: removed" in found
    assert "storage.workspace.lost: removed" in found


def test_an_incompatible_last_commit_fails_too(checkout: Path) -> None:
    """What was committed together with its models is compared with the commit before."""
    before = copy.deepcopy(SCHEMAS["storage.workspace.ready"])
    before["properties"]["data"]["properties"]["gone"] = {"type": "string"}
    commit_schemas(checkout, {"storage.workspace.ready": before})
    commit_schemas(checkout, SCHEMAS)
    assert broken(checkout, None) == ["HEAD: storage.workspace.ready.data.gone: removed"]


def test_an_older_commit_can_be_named_and_must_exist(checkout: Path) -> None:
    assert broken(checkout, "HEAD~1") == ["HEAD~1: no such commit here to compare with"]


def test_the_check_tells_a_stale_file_a_foreign_one_and_a_missing_one(tmp_path: Path) -> None:
    for path, text in files().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert differences(tmp_path) == []
    (tmp_path / "contracts/schemas/storage.workspace.ready.json").write_text("{}\n")
    (tmp_path / "contracts/schemas/nobodys.json").write_text("{}\n")
    (tmp_path / "contracts/asyncapi.yaml").unlink()
    assert set(differences(tmp_path)) == {
        "contracts/schemas/storage.workspace.ready.json: not as the models say",
        "contracts/schemas/nobodys.json: belongs to no message",
        "contracts/asyncapi.yaml: missing",
    }
    command = [sys.executable, "-m", "contracts.generate", "--check", "--root", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "asyncapi.yaml: missing" in done.stderr

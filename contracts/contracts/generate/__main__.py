"""Writes the schemas, the AsyncAPI document and the references, or checks (`--check`) that they are as the models say.

`--check` also fails when a committed schema is no longer compatible: against the last commit, and the last commit
against the one before it. `--against REVISION` compares with another one.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contracts.generate.asyncapi import asyncapi
from contracts.generate.compatibility import incompatibilities
from contracts.generate.reference import document_page, messages_page
from contracts.generate.schemas import schemas
from contracts.generate.yaml_text import to_yaml
from contracts.policy_tests import PolicyTests
from contracts.site import Site
from contracts.workspace import Workspace

ROOT = Path(__file__).resolve().parents[3]
SCHEMAS = "contracts/schemas"


def files() -> dict[str, str]:
    """Every generated file, by its path in the repository."""
    made = {f"{SCHEMAS}/{name}.json": to_json(schema) for name, schema in schemas().items()}
    made["contracts/asyncapi.yaml"] = to_yaml(asyncapi())
    made["docs/reference/messages.md"] = messages_page()
    made["docs/reference/workspace-document.md"] = document_page(
        Workspace, "The workspace document", "Schema: `contracts/schemas/workspace-document.json`."
    )
    made["docs/reference/site-file.md"] = document_page(
        Site, "The site file", "Schema: `contracts/schemas/site-file.json`."
    )
    made["docs/reference/policy-tests.md"] = document_page(
        PolicyTests, "Policy tests", "Schema: `contracts/schemas/policy-tests.json`."
    )
    return made


def to_json(schema: Mapping[str, Any]) -> str:
    """A schema's text, always in the same form."""
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def write(root: Path) -> list[str]:
    """Bring the files up to date; returns the paths that changed. Schemas of messages that are gone are removed."""
    made = files()
    changed = []
    for path in _surplus(root, made):
        (root / path).unlink()
        changed.append(path)
    for path, text in made.items():
        target = root / path
        if not target.exists() or target.read_text() != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            changed.append(path)
    return changed


def differences(root: Path) -> list[str]:
    """Which files are not as the models say."""
    made = files()
    found = [f"{path}: belongs to no message" for path in _surplus(root, made)]
    for path, text in made.items():
        target = root / path
        if not target.exists():
            found.append(f"{path}: missing")
        elif target.read_text() != text:
            found.append(f"{path}: not as the models say")
    return found


def _surplus(root: Path, made: Mapping[str, str]) -> list[str]:
    there = sorted(path.relative_to(root).as_posix() for path in (root / SCHEMAS).glob("*.json"))
    return [path for path in there if path not in made]


def committed(root: Path, revision: str) -> dict[str, dict[str, Any]] | None:
    """The schemas of that commit, by name; None where there is no such commit, or no repository."""
    listed = _git(root, "ls-tree", "-r", "--name-only", revision, f"{SCHEMAS}/")
    if listed is None:
        return None
    found = {}
    for path in listed.split():
        text = _git(root, "show", f"{revision}:{path}")
        if text is not None and path.endswith(".json"):
            found[Path(path).stem] = json.loads(text)
    return found


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def broken(root: Path, against: str | None) -> list[str]:
    """What the models, or the last commit, no longer take of what the commit before took."""
    present = schemas()
    if against is not None:
        before = committed(root, against)
        if before is None:
            return [f"{against}: no such commit here to compare with"]
        return incompatibilities(before, present)
    last, former = committed(root, "HEAD"), committed(root, "HEAD^")
    found = incompatibilities(last, present) if last else []
    return found + ([f"HEAD: {one}" for one in incompatibilities(former, last)] if former and last else [])


def main() -> int:
    """The command; returns its exit code: 0 all is well, 1 files differ, 2 a change is incompatible, 3 both."""
    parser = argparse.ArgumentParser(prog="python -m contracts.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on any difference")
    parser.add_argument("--against", metavar="REVISION", help="compare with this commit instead of the last")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout (default: this one)")
    given = parser.parse_args()
    if not given.check:
        for path in write(given.root):
            sys.stdout.write(f"wrote {path}\n")
        return 0
    code = 0
    if found := differences(given.root):
        sys.stderr.write("\n".join([*found, "Run: python -m contracts.generate", ""]))
        code |= 1
    if found := broken(given.root, given.against):
        advice = "Incompatible: contracts change only by adding; make a new version beside the old."
        sys.stderr.write("\n".join([*found, advice, ""]))
        code |= 2
    return code


if __name__ == "__main__":
    sys.exit(main())

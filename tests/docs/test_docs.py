"""What the documentation says is so: links lead somewhere, examples are valid, names of settings and commands exist."""

import re
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from bootstrap.places import CHECKOUT
from burst_scheduler.settings import Settings as BurstScheduler
from contracts.outcome import InputRefused
from contracts.site import Site
from network_policy.settings import Settings as NetworkPolicy
from operator_cli.app import app
from operator_cli.document import load
from operator_cli.exits import Exit
from operator_cli.settings import Settings as OperatorCli
from provisioner.settings import Settings as Provisioner
from security_monitor.settings import Settings as SecurityMonitor
from storage.settings import Settings as Storage

DOCS = CHECKOUT / "docs"
PAGES = sorted([CHECKOUT / "README.md", *DOCS.glob("*.md"), *(DOCS / "runbooks").glob("*.md")])
BESIDES = {"TRESOR_CONFIG", "TRESOR_SECRETS_DIR", "TRESOR_LAB"}


def page_name(page: Path) -> str:
    return str(page.relative_to(CHECKOUT))


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_settings_that_are_named_exist(page: Path) -> None:
    known = set(BESIDES) | {f"TRESOR_{name.upper()}" for name in OperatorCli.__dataclass_fields__}
    for service in (Provisioner, NetworkPolicy, Storage, BurstScheduler, SecurityMonitor):
        known |= {f"TRESOR_{name.upper()}" for name in service.model_fields}
    assert set(re.findall(r"TRESOR_[A-Z_]+[A-Z]", page.read_text())) <= known


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_commands_and_options_that_are_named_exist(page: Path) -> None:
    top = get_command(app)
    for said in re.findall(r"(?:^|`)tresor ((?:[a-z-]+)(?: [^`\n|#]*)?)", page.read_text(), re.MULTILINE):
        words = said.split()
        command = top.commands.get(words[0])  # type: ignore[attr-defined]
        assert command is not None, said
        if hasattr(command, "commands"):
            inner = [name for name in re.split(r"[|]", words[1]) if name] if words[1:] and words[1][0] != "-" else []
            for name in inner:
                assert name.strip(",") in command.commands, said
            command = command.commands[inner[0].strip(",")] if inner else command
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for option in re.findall(r"(?<= )--?[a-z][a-z-]*", said):
            assert option in known | {"--help"}, said


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_make_targets_that_are_named_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)(?:KEEP=1 )?make ([a-z-]+)", page.read_text(), re.MULTILINE)) <= targets


def test_the_documents_in_the_documentation_are_valid(tmp_path: Path) -> None:
    site = Site.model_validate(yaml.safe_load(_example("site-file.md")))
    path = tmp_path / "document.yaml"
    path.write_text(_example("workspace-document.md"))
    document, _ = load(path, site)
    assert [role.name for role in document.roles] == ["login", "compute"]


def _example(page: str) -> str:
    found = re.search(r"```yaml\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert found
    return found[1]


def test_every_exit_code_is_documented() -> None:
    rows = dict(re.findall(r"^\| (\d+) \| ([a-z ]+) \|", (DOCS / "exit-codes.md").read_text(), re.MULTILINE))
    assert {int(code): name.replace(" ", "_").upper() for code, name in rows.items()} == {
        code.value: code.name for code in Exit
    }


def test_every_finding_has_its_runbook() -> None:
    code = "".join(path.read_text() for path in (CHECKOUT / "services" / "security-monitor").rglob("*.py"))
    rules = set(re.findall(r'rule="([a-z-]+)"|^[A-Z_]+ = "([a-z]+(?:-[a-z]+)+)"$', code, re.MULTILINE))
    named = {name for pair in rules for name in pair if name} | {"command-rejected", "command-failed"}
    assert {"policy-drift", "isolation-violated", "input-refused", "message-parked"} <= named
    for rule in named:
        assert (DOCS / "runbooks" / f"{rule}.md").exists(), rule


def test_every_reason_of_a_refusal_is_explained() -> None:
    text = (DOCS / "runbooks" / "input-refused.md").read_text()
    reasons = InputRefused.model_fields["reason"].annotation.__args__  # type: ignore[union-attr]
    assert [reason for reason in reasons if f"`{reason}`" not in text] == []

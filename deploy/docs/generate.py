"""Writes the pages that are made from the members' own code, or checks them: `python -m docs.generate [--check]`.

docs/reference/settings.md from their settings, docs/runbooks/audit.md from the audit's register of findings,
docs/runbooks/detections.md from the detection rules.
"""

import argparse
import dataclasses
import json
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

import burst_scheduler.settings
import network_policy.settings
import operator_cli.settings
import provisioner.settings
import security_monitor.settings
import storage.settings
from contracts.generate import meanings
from docs import audit_page, detections_page
from shared.settings import ServiceSettings

ROOT = Path(__file__).resolve().parents[2]
PAGE = "docs/reference/settings.md"

SERVICES: dict[str, type[ServiceSettings]] = {
    "provisioner": provisioner.settings.Settings,
    "network-policy": network_policy.settings.Settings,
    "storage": storage.settings.Settings,
    "burst-scheduler": burst_scheduler.settings.Settings,
    "security-monitor": security_monitor.settings.Settings,
}

_INTRODUCTION = """# Settings

Generated from the members' settings; change those, then run `make contracts`.

Every setting is an environment variable. Instead of it, a file of the folder that `TRESOR_SECRETS_DIR` names serves as
well; the file is called as the variable, in lower case. A setting without a default is required. Secrets belong into
files.
"""


def page() -> str:
    """The page's text."""
    shared = list(ServiceSettings.model_fields)
    blocks = [_INTRODUCTION, f"## Every service\n\n{_table(_rows(ServiceSettings, shared))}"]
    for service, settings in SERVICES.items():
        own = [name for name in settings.model_fields if name not in shared]
        said = _table(_rows(settings, own)) if own else "None of its own.\n"
        blocks.append(f"## {service}\n\n{said}")
    blocks.append(
        f"## tresor (the command line)\n\n{meanings.summary_of_module(operator_cli.settings)}\n\n{_command_line()}"
    )
    return "\n".join(block.rstrip() + "\n" for block in blocks)


def _rows(settings: type[ServiceSettings], names: Iterable[str]) -> Iterator[tuple[str, str, str, str]]:
    said = meanings.of_fields(settings)
    for name in names:
        field = settings.model_fields[name]
        default = "" if field.is_required() else _default(field.get_default(call_default_factory=True))
        yield f"TRESOR_{name.upper()}", _kind(field.annotation, field.metadata), default, said.get(name, "")


def _command_line() -> str:
    """The command line's settings are a dataclass of its own."""
    settings = operator_cli.settings.Settings
    hints = typing.get_type_hints(settings)
    rows = []
    for field in dataclasses.fields(settings):
        missing = field.default is dataclasses.MISSING
        default = "" if missing else _default(field.default)
        rows.append(
            (f"TRESOR_{field.name.upper()}", _kind(hints[field.name], ()), default, field.metadata.get("words", ""))
        )
    return _table(rows)


def _table(rows: Iterable[tuple[str, str, str, str]]) -> str:
    lines = ["| variable | type | default | meaning |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {kind} | {default} | {meaning} |" for name, kind, default, meaning in rows]
    return "\n".join(lines) + "\n"


def _default(value: Any) -> str:
    if value is PydanticUndefined or value in (None, "", ()):
        return "none"
    return f"`{json.dumps(value if isinstance(value, str | int | float | bool) else str(value))}`"


def _kind(annotation: Any, bounds: Iterable[Any]) -> str:
    """A type in words, with its bounds."""
    if typing.get_origin(annotation) is typing.Literal:
        return ", ".join(f"`{choice}`" for choice in typing.get_args(annotation))
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        kinds = [inner for inner in typing.get_args(annotation) if inner is not type(None)]
        return " or ".join(_kind(inner, bounds) for inner in kinds)
    words = {SecretStr: "secret", Path: "path", str: "text", int: "integer", float: "number", bool: "yes or no"}
    kind = words.get(annotation, getattr(annotation, "__name__", str(annotation)))
    limits = []
    for bound in bounds:
        for attribute, word in (("gt", "above"), ("ge", "at least"), ("lt", "below"), ("le", "at most")):
            if (limit := getattr(bound, attribute, None)) is not None:
                limits.append(f"{word} {limit}")
    return ", ".join([kind, *limits])


PAGES: dict[str, Callable[[], str]] = {
    PAGE: page,
    audit_page.PAGE: audit_page.page,
    detections_page.PAGE: detections_page.page,
}


def main() -> int:
    """The command; 1 when `--check` finds a page not as the code says."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on any difference")
    check = parser.parse_args().check
    code = 0
    for path, made in PAGES.items():
        target, text = ROOT / path, made()
        if target.exists() and target.read_text() == text:
            continue
        if check:
            sys.stderr.write(f"{path}: not as the code says; run: make contracts\n")
            code = 1
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        sys.stdout.write(f"wrote {path}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())

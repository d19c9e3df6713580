"""Tables say all of it, whatever the terminal's width; and a reader that has seen enough is no failure."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from operator_cli.printing import COLUMN_GAP, column_widths, table

IDENTIFIER = "179dfe41-11b2-4f09-8e57-89e8965e932f"


def test_columns_take_what_they_need_where_there_is_room() -> None:
    assert column_widths([["id", "abc"], ["why", "two words"]], 80) == [3, 9]


def test_words_are_never_broken_and_long_texts_share_what_is_left() -> None:
    columns = [["id", IDENTIFIER], ["why", "beacons to a known server"], ["by", "ana and bob and carol"]]
    widths = column_widths(columns, 70)
    assert widths is not None
    assert widths[0] == len(IDENTIFIER)
    assert min(widths[1:]) >= len("beacons")
    assert sum(widths) + len(widths) * COLUMN_GAP <= 70


def test_without_room_for_the_longest_words_there_is_no_table() -> None:
    assert column_widths([["id", IDENTIFIER], ["why", "beacons"]], 40) is None


@pytest.mark.parametrize("columns", [20, 40, 79, 300])
def test_nothing_is_cut(columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "dumb")
    table(("id", "reason"), [(IDENTIFIER, "beacons to a known server"), (IDENTIFIER, "[bold]again")], title="held")
    shown = capsys.readouterr().out
    words = shown.split()
    assert "…" not in shown
    assert words.count(IDENTIFIER) == 2
    assert {"held", "beacons", "known", "server", "[bold]again"} <= set(words)


def test_what_is_no_terminal_gets_each_row_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    table(("id", "reason"), [(IDENTIFIER, "word " * 100)])
    assert f"{IDENTIFIER}   {'word ' * 99}word" in capsys.readouterr().out


def keyring_of(folder: Path, count: int) -> Path:
    """A keyring with so many keys."""
    key = {
        "holder": "h" * 100, "roles": ["auditor"], "workspaces": ["*"], "public": "A" * 43,
        "not_before": "2026-01-01T00:00:00Z", "not_after": "2027-01-01T00:00:00Z",
    }  # fmt: skip
    path = folder / "keyring.json"
    path.write_text(json.dumps({"keys": [{"kid": f"key-{number}", **key} for number in range(count)]}))
    return path


@pytest.mark.parametrize("arguments", [("keys", "list"), ("keys", "show", "key-7", "-o", "json")])
def test_a_reader_that_has_seen_enough_is_no_failure(arguments: tuple[str, ...], tmp_path: Path) -> None:
    keyring = keyring_of(tmp_path, 2000)
    reads, writes = os.pipe()
    os.close(reads)
    ended = subprocess.run(
        [sys.executable, "-m", "operator_cli.main", *arguments, "--keyring", str(keyring)],
        stdout=writes, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
    )  # fmt: skip
    os.close(writes)
    assert (ended.returncode, ended.stderr) == (0, "")

"""The chain finds every edit; the export carries all that is needed to find it elsewhere."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.audit import (
    FIRST_LINK,
    Entry,
    Head,
    Row,
    export_line,
    head_line,
    link_of,
    microseconds,
    verify,
    verify_export,
)

EMPTY_TRESOR = head_line(Head("tresor", 0, FIRST_LINK))
BEGIN = datetime(2026, 11, 21, 10, 0, 0, 123457, tzinfo=UTC)


def entry(number: int, **more: object) -> Entry:
    fields: dict[str, object] = {
        "kind": "notification",
        "type": "port.update.end",
        "message_id": f"m{number}",
        "source": "network.ctl",
        "occurred_at": BEGIN + timedelta(seconds=number),
        "request_id": "req-1",
        "global_request_id": "",
        "project_id": "p",
        "workspace": "",
        "redacted": False,
        "body": f'{{"n": {number}, "ü": "\\u0000"}}'.encode(),
        **more,
    }
    return Entry(**fields)  # type: ignore[arg-type]


def chain(count: int) -> list[Row]:
    rows, link = [], FIRST_LINK
    for position in range(1, count + 1):
        at = BEGIN + timedelta(microseconds=position)
        link = link_of(link, "openstack", position, microseconds(at), entry(position))
        rows.append(Row("openstack", position, at, entry(position), link))
    return rows


ROWS = chain(12)
HEAD = Head("openstack", 12, ROWS[-1].link)


def test_a_whole_chain_verifies() -> None:
    assert verify(ROWS, HEAD) is None
    assert verify(ROWS[4:], HEAD, after=Head("openstack", 4, ROWS[3].link)) is None
    assert verify([], Head("openstack", 0, FIRST_LINK)) is None


def _entry_edited(row: Row, field: str) -> Row:
    old: Any = getattr(row.entry, field)
    new: Any = (
        not old if isinstance(old, bool) else old + timedelta(microseconds=1) if isinstance(old, datetime) else None
    )
    if new is None:
        new = old + (b"x" if isinstance(old, bytes) else "x")
    fields: dict[str, Any] = {field: new}
    return row._replace(entry=row.entry._replace(**fields))


def _row_edited(row: Row, field: str) -> Row:
    changed: dict[str, Any] = {
        "recorded_at": row.recorded_at + timedelta(microseconds=1),
        "link": bytes(32),
        "position": 99,
        "stream": "x",
    }
    fields: dict[str, Any] = {field: changed[field]}
    return row._replace(**fields)


@settings(max_examples=200)
@given(st.integers(0, 11), st.sampled_from([*Entry._fields, "recorded_at", "link", "position", "stream"]))
def test_any_edit_of_any_field_is_found(index: int, field: str) -> None:
    row = ROWS[index]
    edited = _entry_edited(row, field) if field in Entry._fields else _row_edited(row, field)
    found = verify([*ROWS[:index], edited, *ROWS[index + 1 :]], HEAD)
    assert found is not None
    assert found.position <= index + 2


@given(st.integers(0, 11), st.integers(0, 11))
def test_removed_swapped_doubled_and_cut_rows_are_found(one: int, other: int) -> None:
    assert verify([row for index, row in enumerate(ROWS) if index != one], HEAD) is not None
    assert verify([*ROWS[: one + 1], *ROWS[one:]], HEAD) is not None
    assert verify(ROWS[:one], HEAD) is not None
    if one != other:
        swapped = list(ROWS)
        swapped[one], swapped[other] = swapped[other], swapped[one]
        assert verify(swapped, HEAD) is not None


def test_rows_behind_the_head_are_found() -> None:
    assert verify(ROWS, Head("openstack", 11, ROWS[10].link)) is not None


def test_a_line_feed_in_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="line feed"):
        link_of(FIRST_LINK, "openstack", 1, 0, entry(1, source="a\nb"))


def test_an_export_is_verified_from_its_lines_alone() -> None:
    lines = [*map(export_line, ROWS), head_line(HEAD), EMPTY_TRESOR]
    rows, ends, found = verify_export(lines)
    assert (rows, ends["openstack"].position, found) == (12, 12, None)
    assert all("\n" not in line for line in lines)
    for index in range(12):
        said = json.loads(lines[index])
        said["body"] = said["body"].replace("n", "m")
        assert verify_export([*lines[:index], json.dumps(said), *lines[index + 1 :]])[2] is not None
        assert verify_export([*lines[:index], *lines[index + 1 :]])[2] is not None
    cut = verify_export([*lines[:10], *lines[12:]])[2]
    assert cut is not None
    assert "end at 10" in cut.reason


@pytest.mark.parametrize("kept", range(14))
def test_an_export_that_is_cut_anywhere_is_found(kept: int) -> None:
    lines = [*map(export_line, ROWS), head_line(HEAD), EMPTY_TRESOR]
    assert verify_export(lines)[2] is None
    found = verify_export(lines[:kept])[2]
    assert found is not None
    assert "cut" in found.reason


def test_a_body_that_is_no_text_survives_the_export() -> None:
    body = bytes(range(256))
    link = link_of(FIRST_LINK, "openstack", 1, microseconds(BEGIN), entry(1, body=body, occurred_at=None))
    row = Row("openstack", 1, BEGIN, entry(1, body=body, occurred_at=None), link)
    assert verify_export([export_line(row), head_line(Head("openstack", 1, link)), EMPTY_TRESOR])[2] is None


@pytest.mark.parametrize("line", ["{", "5", "[]", "null", '{"format":"tresor-audit-1"}', '{"format":"other"}', '"x"'])
def test_what_is_no_export_is_named_by_its_line(line: str) -> None:
    with pytest.raises(ValueError, match="line 2"):
        verify_export([export_line(ROWS[0]), line])

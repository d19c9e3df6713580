"""The SIEM's file: rotated by size, the newest kept, and whole lines after a crash in the middle of one."""

from pathlib import Path

from security_monitor.store.siem_file import SiemFile


def test_rotation_keeps_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "siem" / "ocsf.jsonl"
    siem = SiemFile(path, max_bytes=100, kept=2)
    for number in range(10):
        siem.append([f"{number}" * 60])
    assert sorted(found.name for found in path.parent.iterdir()) == ["ocsf.jsonl", "ocsf.jsonl.1", "ocsf.jsonl.2"]
    newest_first = [path, path.with_name("ocsf.jsonl.1"), path.with_name("ocsf.jsonl.2")]
    assert ["".join(sorted({line[0] for line in found.read_text().splitlines()})) for found in newest_first] == [
        "89",
        "67",
        "45",
    ]


def test_a_cut_line_is_closed_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "ocsf.jsonl"
    siem = SiemFile(path)
    siem.append(["one"])
    with path.open("a") as file:
        file.write("cut by a cra")
    siem.append(["two", "three"])
    siem.append([])
    assert path.read_text() == "one\ncut by a cra\ntwo\nthree\n"


def test_others_may_not_read_it(tmp_path: Path) -> None:
    path = tmp_path / "ocsf.jsonl"
    SiemFile(path).append(["one"])
    assert path.stat().st_mode & 0o007 == 0

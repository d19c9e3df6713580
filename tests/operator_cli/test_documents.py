"""What a person reads who wrote a wrong document: the line, the column, the field, and what to do."""

import time
from pathlib import Path

import pytest

from contracts.envelope import Problem
from contracts.site import Site
from operator_cli.document import load, located
from shared.yaml_source import MAX_FILE_BYTES, BadSource, Complaint, Place, Source, parse, read

GOOD = """\
apiVersion: tresor/v1
kind: Workspace
name: genome-42
owner: ana@example.org
sensitivity: sensitive
expiry: 2027-12-31
networks:
  - name: cluster
    cidr: 10.42.0.0/24
roles:
  - name: login
    flavor: tre.small
    image: tiny
    networks: [cluster]
flows:
  - from: site:jumphosts
    to: login
    ports: [22, 6817-6819]
"""


def complaints(text: str, tmp_path: Path, site: Site | None = None) -> tuple[Complaint, ...]:
    path = tmp_path / "document.yaml"
    path.write_text(text)
    with pytest.raises(BadSource) as caught:
        load(path, site)
    return caught.value.complaints


def test_a_good_document_is_read(tmp_path: Path) -> None:
    path = tmp_path / "document.yaml"
    path.write_text(GOOD)
    document, source = load(path)
    assert document.flows[0].ports == ("22", "6817-6819")
    assert str(document.expiry) == "2027-12-31"
    assert source.place(("roles", 0, "flavor")) == Place(12, 13)


@pytest.mark.parametrize(
    ("change", "place", "field", "reason", "remedy"),
    [
        (("image: tiny", "image: tiny\n    keypar: k"), Place(14, 5), "roles.0.keypar", "there is no field 'keypar' here", "did you mean 'keypair'?"),
        (("sensitivity: sensitive\n", ""), Place(1, 1), "sensitivity", "this field is missing", "add `sensitivity:`"),
        (("sensitivity: sensitive", "sensitivity: secret"), Place(5, 14), "sensitivity", "'secret' is none of the words", "use one of: 'open'"),
        (("image: tiny", "image: 12"), Place(13, 12), "roles.0.image", "text is wanted here", 'put it in quotes: "12"'),
        (("10.42.0.0/24", "10.42.0.7/24"), Place(9, 11), "networks.0.cidr", "10.42.0.7/24 has host bits set", "write 10.42.0.0/24"),
        (("from: site:jumphosts", "from: 0.0.0.0/0"), Place(16, 11), "flows.0.from", "'0.0.0.0/0' is no role, `site:<endpoint>` or `zone:<zone>`", "addresses stand in the site file"),
        (("name: genome-42", "name: Genome 42"), Place(3, 7), "name", "'Genome 42' is no name", "use lower case"),
        (("2027-12-31", "2027-02-31"), Place(6, 9), "expiry", "Input should be a valid date", ""),
        (("[22, 6817-6819]", "[0]"), Place(18, 13), "flows.0.ports.0", "ports 0: from 1 to 65535", ""),
        (("image: tiny", "image: tiny\n    count: many"), Place(14, 12), "roles.0.count", "a whole number is wanted here", ""),
        (("[cluster]", "cluster"), Place(14, 15), "roles.0.networks", "a list is wanted here", ""),
        (("image: tiny", "image: tiny\n    image: big"), Place(14, 5), "roles.0.image", "'image' stands twice here; the first is on line 13", "keep one"),
        (("    image: tiny", "\timage: tiny"), None, "", "a tab stands here", "indent with spaces"),
        (("name: cluster", "name: 'cluster"), None, "", "this is no YAML", ""),
        (("name: genome-42", "name: !!python/object:os.system x"), Place(3, 7), "name", "a tag", "remove it"),
        (("kind: Workspace", "kind: Workspace\n---\n"), None, "", "a second document begins here", "one document a file"),
        (("name: genome-42", "name: 12345678901234567890"), Place(3, 7), "name", "more than 18 digits", ""),
        (("owner: ana@example.org", "owner: \"ana\\u0007\""), Place(4, 8), "owner", "is nobody's name", "use letters"),
    ],
)  # fmt: skip
def test_each_mistake_names_its_line_and_field(
    change: tuple[str, str], place: Place | None, field: str, reason: str, remedy: str, tmp_path: Path
) -> None:
    text = GOOD.replace(*change)
    assert text != GOOD
    found = complaints(text, tmp_path)
    assert len(found) == 1, found
    assert reason in found[0].reason
    assert found[0].remedy.startswith(remedy) if remedy else True
    if place is not None:
        assert (found[0].place, found[0].field) == (place, field)
    else:
        assert found[0].place is not None


def test_every_mistake_is_told_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    text = (
        GOOD.replace("owner: ana@example.org", "owner: a b").replace("flavor:", "flavour:").replace("- from", "- form")
    )
    assert [one.field for one in complaints(text, tmp_path)] == [
        "owner", "roles.0.flavor", "roles.0.flavour", "flows.0.from", "flows.0.form",
    ]  # fmt: skip


def test_what_only_the_site_knows_is_told_with_its_line(tmp_path: Path) -> None:
    text = GOOD.replace("to: login", "to: storage").replace("10.42.0.0/24", "192.168.0.0/24")
    site = Site.model_validate({"name": "here", "reserved_prefixes": ["192.168.0.0/16"]})
    found = {one.field: one for one in complaints(text, tmp_path, site)}
    assert found["networks.0.cidr"].place == Place(9, 11)
    assert "192.168.0.0/16" in found["networks.0.cidr"].reason
    assert found["flows.0.to"].reason == "no role 'storage' in this document"
    assert found["flows.0.from"].reason == "the site file names no endpoint 'jumphosts'"


def test_a_services_problem_is_brought_back_to_its_line(tmp_path: Path) -> None:
    path = tmp_path / "document.yaml"
    path.write_text(GOOD)
    problems = (
        Problem(field="document.roles.0.flavor", reason="no such flavor"),
        Problem(field="document.storage.shares.0.size_gib", reason="quota"),
        Problem(reason="the cloud is full"),
    )
    flavor, share, whole = located(read(path), problems)
    assert (flavor.place, flavor.field) == (Place(12, 13), "roles.0.flavor")
    assert share.place == Place(1, 1), "the nearest thing around a field that is not written"
    assert whole.place is None


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "a: " * 3 + "[" * 200,
        "x: &a [1,1,1,1,1,1,1,1]\n" + "".join(f"y{i}: &b{i} [{', '.join(['*a' if i == 0 else f'*b{i - 1}'] * 9)}]\n" for i in range(9)),
        "- " * 50_000,
        "a: *nowhere",
        "? [a]\n: b",
        "",
        "just words",
        "a: \x00",
        "{" * 5000,
    ],
    ids=["brackets", "depth", "billion-laughs", "dashes", "alias", "complex-key", "empty", "scalar", "nul", "braces"],
)  # fmt: skip
def test_hostile_files_are_refused_quickly(text: str) -> None:
    began = time.process_time()
    with pytest.raises(BadSource):
        parse(Source("hostile.yaml", text))
    assert time.process_time() - began < 2


def test_a_huge_or_binary_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    path.write_bytes(b"# " + b"x" * MAX_FILE_BYTES)
    with pytest.raises(BadSource, match="problem"):
        read(path)
    path.write_bytes(b"name: \xff\xfe")
    with pytest.raises(BadSource) as caught:
        read(path)
    assert "UTF-8" in caught.value.complaints[0].reason


def test_yaml_1_1_surprises_stay_text() -> None:
    source = parse(
        Source("x", "a: no\nb: 22:30\nc: on\nd: 2027-12-31\ne: 0o17\nf: 1_000\ng: 007\nh: 1.5\ni: ~\nj: true\n")
    )
    assert source.values == {
        "a": "no", "b": "22:30", "c": "on", "d": "2027-12-31", "e": "0o17", "f": "1_000", "g": 7, "h": 1.5, "i": None, "j": True,
    }  # fmt: skip

"""How uv and the environment are come by, with programs that stand in for those a bare machine has or lacks."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bootstrap import debian, environment, package_sources, pip
from bootstrap.console import Console, Lacking
from bootstrap.places import CHECKOUT, LOCK

QUIET = Console(quiet=True)


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first in PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(debian, "_STATE", tmp_path / "apt")
    return folder


def package(folder: Path, name: str, files: dict[str, str]) -> Path:
    """A real Debian package."""
    root = folder / name
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    control = (
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: Tresor <tresor@example.org>\nDescription: test\n"
    )
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN/control").write_text(control)
    made = folder / f"{name}_1_all.deb"
    subprocess.run(["dpkg-deb", "--build", "-Znone", str(root), str(made)], check=True, capture_output=True)
    return made


def test_packages_are_unpacked_and_found_again(tmp_path: Path, programs: Path) -> None:
    made = package(tmp_path / "made", "thing", {"usr/lib/thing/file": "hello"})
    calls = tmp_path / "calls"
    script(programs / "apt-get", f'echo "$@" >> {calls}; cp {made} .')
    root = debian.unpack_packages(("thing",), tmp_path / "there", QUIET)
    assert (root / "usr/lib/thing/file").read_text() == "hello"
    assert calls.read_text().count("download thing") == 1
    assert debian.unpack_packages(("thing",), tmp_path / "there", QUIET) == root
    assert calls.read_text().count("download thing") == 1


def test_missing_lists_are_fetched_into_the_checkout(tmp_path: Path, programs: Path) -> None:
    made = package(tmp_path / "made", "thing", {"usr/lib/thing/file": "hello"})
    lists = tmp_path / "apt" / "lists"
    script(
        programs / "apt-get",
        f'case "$*" in *update*) touch {lists}/fetched;; *) [ -e {lists}/fetched ] && cp {made} .;; esac',
    )
    root = debian.unpack_packages(("thing",), tmp_path / "there", QUIET)
    assert (root / "usr/lib/thing/file").exists()


def test_what_apt_says_is_told(tmp_path: Path, programs: Path) -> None:
    script(programs / "apt-get", "echo 'no route to the mirror' >&2; exit 100")
    with pytest.raises(Lacking, match="no route to the mirror"):
        debian.unpack_packages(("thing",), tmp_path / "there", QUIET)


def test_no_debian_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Lacking, match="this is no Debian"):
        debian.unpack_packages(("thing",), tmp_path / "there", QUIET)


def test_dependencies_are_chosen(programs: Path) -> None:
    script(
        programs / "apt-cache",
        "printf 'rabbitmq-server\\n  Depends: erlang-base\\nerlang-base\\nadduser\\n<virtual>\\n'",
    )
    found = debian.with_dependencies("rabbitmq-server", lambda name: name.startswith("erlang-"), QUIET)
    assert found == ["erlang-base", "rabbitmq-server"]


def test_pythons_own_pip_comes_first(tmp_path: Path) -> None:
    python = script(tmp_path / "python", 'echo "pip 23"')
    assert pip.find_pip(QUIET, str(python), tmp_path).origin == "this Python's own"


def test_then_the_one_from_venv(tmp_path: Path) -> None:
    inner = tmp_path / "pip/venv/bin"
    python = script(
        tmp_path / "python",
        f'case "$*" in *venv*) mkdir -p {inner}; printf "#!/bin/sh\\nexit 0\\n" > {inner}/python; chmod +x {inner}/python;;'
        " *) exit 1;; esac",
    )
    found = pip.find_pip(QUIET, str(python), tmp_path)
    assert (found.origin, found.command[0]) == ("from venv", str(inner / "python"))


def test_then_debians_unpacked(tmp_path: Path, programs: Path) -> None:
    made = package(tmp_path / "made", "python3-pip", {"usr/lib/python3/dist-packages/pip/__main__.py": ""})
    script(programs / "apt-get", f"cp {made} .")
    python = script(
        tmp_path / "python",
        'case "$*" in *venv*) exit 1;; esac; [ -n "$PYTHONPATH" ] && [ -d "${PYTHONPATH%%:*}/pip" ]',
    )
    found = pip.find_pip(QUIET, str(python), tmp_path / "tools")
    assert found.origin == "Debian's package, unpacked"
    assert str(tmp_path / "tools") in found.environment["PYTHONPATH"]


def test_no_pip_at_all_is_told(tmp_path: Path, programs: Path) -> None:
    script(programs / "apt-get", "exit 100")
    python = script(tmp_path / "python", "exit 1")
    with pytest.raises(Lacking):
        pip.find_pip(QUIET, str(python), tmp_path / "tools")


def test_pip_that_reaches_no_index_says_what_to_set(tmp_path: Path) -> None:
    broken = pip.Pip((str(script(tmp_path / "pip", "echo 'could not connect' >&2; exit 1")),), {}, "a test's")
    with pytest.raises(Lacking, match=r"PIP_INDEX_URL[\s\S]*could not connect"):
        broken.install(tmp_path / "list", tmp_path / "target", {})


def test_settings_for_pip_hold_for_uv() -> None:
    given = {"PIP_INDEX_URL": "https://mirror.example.org/simple", "PIP_FIND_LINKS": "/srv/wheels /srv/more"}
    found = package_sources.uv_settings({"extra-index-url": "file:///a file:///b"}, given)
    assert found == {
        "UV_DEFAULT_INDEX": "https://mirror.example.org/simple",
        "UV_FIND_LINKS": "/srv/wheels,/srv/more",
        "UV_INDEX": "file:///a file:///b",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_uvs_own_settings_win() -> None:
    given = {"UV_DEFAULT_INDEX": "https://one.example.org", "PIP_INDEX_URL": "https://two.example.org"}
    assert package_sources.uv_settings({}, given) == {}


def test_certificates_are_shared_found_or_fetched(tmp_path: Path, programs: Path) -> None:
    system, nowhere = tmp_path / "system.crt", tmp_path / "nowhere"
    system.write_text("")
    settings = package_sources.certificate_settings
    assert settings(QUIET, {"PIP_CERT": "/a"}, tmp_path, nowhere) == {"PIP_CERT": "/a", "SSL_CERT_FILE": "/a"}
    assert settings(QUIET, {"SSL_CERT_FILE": "/b"}, tmp_path, nowhere) == {"PIP_CERT": "/b", "SSL_CERT_FILE": "/b"}
    assert settings(QUIET, {}, tmp_path, system) == {}
    files = {"usr/share/ca-certificates/mozilla/one.crt": "ONE\n", "usr/share/ca-certificates/mozilla/two.crt": "TWO\n"}
    made = package(tmp_path / "made", "ca-certificates", files)
    script(programs / "apt-get", f"cp {made} .")
    bundle = settings(QUIET, {}, tmp_path / "tools", nowhere)["PIP_CERT"]
    assert Path(bundle).read_text() == "ONE\nTWO\n"


def test_the_locks_hold_hashes_and_no_address() -> None:
    locks = [
        LOCK,
        environment.UV_REQUIREMENTS,
        environment.POSTGRESQL_REQUIREMENTS,
        *environment.IMAGE_LOCKS.glob("*.lock"),
    ]
    assert len(locks) == 5
    for lock in locks:
        text = lock.read_text()
        entries = re.split(r"\n(?=\S)", text.strip())
        assert entries
        assert all("==" in entry and "--hash=sha256:" in entry for entry in entries), lock
        assert not re.search(r"://|--(extra-)?index-url|--find-links|(?m:^-)", text), lock


def test_the_images_hold_what_the_whole_lock_does() -> None:
    def pinned(path: Path) -> set[str]:
        return set(re.findall(r"^([a-z0-9-]+==\S+)", path.read_text(), re.MULTILINE))

    for lock in environment.IMAGE_LOCKS.glob("*.lock"):
        assert pinned(lock) <= pinned(LOCK), lock
    assert not any(
        name.startswith(("pytest==", "mypy==", "ruff==")) for name in pinned(environment.IMAGE_LOCKS / "services.lock")
    )


def test_every_member_asks_only_for_what_is_locked() -> None:
    names = {
        re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"^([\w.-]+)==", LOCK.read_text(), re.MULTILINE)
    }
    for member in environment.members():
        wanted = tomllib.loads((member / "pyproject.toml").read_text())["project"]["dependencies"]
        for requirement in wanted:
            name = re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~! ;]", requirement)[0]).lower()
            assert name in names or name.startswith("tresor-"), f"{member}: {requirement}: run `make lock`"


def test_make_help_names_every_door() -> None:
    shown = subprocess.run(["make", "help"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    doors = {
        "help",
        "env",
        "lock",
        "lint",
        "test",
        "demo",
        "bench",
        "contracts",
        "lab-up",
        "lab-demo",
        "lab-test",
        "lab-down",
        "clean",
    }
    assert doors <= set(shown.split())
    plain = subprocess.run(["make"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    assert plain == shown


def test_make_without_a_python_says_so(tmp_path: Path) -> None:
    for name in ("sh", "make", "awk", "echo", "test"):
        (tmp_path / name).symlink_to(
            subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip()
        )
    done = subprocess.run(
        ["make", "env"], cwd=CHECKOUT, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "no Python 3.11 or later" in done.stderr


def test_the_environment_that_is_ready_is_left_alone() -> None:
    environment.ensure_environment(QUIET)
    before = environment._STAMP.stat().st_mtime_ns
    environment.ensure_environment(QUIET)
    assert environment._STAMP.stat().st_mtime_ns == before


def test_two_runs_take_turns(tmp_path: Path) -> None:
    """The second waits until the first is done; what the first made is there for it."""
    code = (
        "import sys, time; sys.path.insert(0, 'deploy')\n"
        "from pathlib import Path; from bootstrap.console import Console; from bootstrap.turns import one_at_a_time\n"
        "folder = Path(sys.argv[1])\n"
        "with one_at_a_time(folder / 'lock', Console(quiet=True)):\n"
        "    alone = not (folder / 'inside').exists(); (folder / 'inside').touch(); time.sleep(0.3)\n"
        "    (folder / 'inside').unlink(); sys.exit(0 if alone else 1)\n"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=CHECKOUT) for _ in range(3)]
    assert [run.wait(30) for run in runs] == [0, 0, 0]


def test_bootstrap_runs_on_the_standard_library_alone() -> None:
    code = "import bootstrap.__main__, sys; print([m for m in sys.modules if m in ('asyncpg', 'aio_pika', 'pydantic')])"
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", f"import sys; sys.path.insert(0, 'deploy'); {code}"],
        cwd=CHECKOUT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr

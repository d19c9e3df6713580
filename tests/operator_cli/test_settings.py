"""Where settings come from, and what is said about wrong ones."""

import resource
from pathlib import Path

from tests.operator_cli.conftest import Tresor


def write_config(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "config" / "tresor" / "config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


async def test_without_a_setting_it_says_which_and_how(tresor: Tresor) -> None:
    ended = await tresor("workspace", "list")
    assert ended.code == 2
    assert "TRESOR_AMQP_URL" in ended.err


async def test_the_environment_goes_before_the_file(tresor: Tresor, tmp_path: Path) -> None:
    write_config(tmp_path, "amqp_url: amqp://operator:x@127.0.0.1:1/tresor\nsigning_key_path: ~/none.jwk\n")
    from_file = await tresor("workspace", "list")
    assert (from_file.code, "none.jwk" in from_file.err) == (2, True)
    from_environment = await tresor("workspace", "list", TRESOR_SIGNING_KEY_PATH="/elsewhere.jwk")
    assert "/elsewhere.jwk" in from_environment.err


async def test_a_wrong_file_is_told_with_its_line(tresor: Tresor, tmp_path: Path) -> None:
    path = write_config(tmp_path, "keyring_path: a\namqp_uri: amqp://x\n")
    ended = await tresor("workspace", "list")
    assert (ended.code, f"{path}:2: there is no setting 'amqp_uri'" in ended.err) == (2, True)
    write_config(tmp_path, "timeout_seconds: soon\n")
    assert "a number of seconds is wanted" in (await tresor("workspace", "list")).err


async def test_a_password_that_others_can_read_is_refused(tresor: Tresor, tmp_path: Path) -> None:
    path = write_config(tmp_path, "amqp_url: amqp://operator:secret@127.0.0.1:1/tresor\n", 0o644)
    ended = await tresor("workspace", "list")
    assert (ended.code, f"chmod 600 {path}" in ended.err, "secret" in ended.err) == (2, True, False)


async def test_a_key_that_others_can_read_is_refused(tresor: Tresor, tmp_path: Path) -> None:
    key = tmp_path / "key.jwk"
    key.write_text('{"kid": "x"}')
    key.chmod(0o644)
    ended = await tresor(
        "workspace", "list", TRESOR_AMQP_URL="amqp://o:x@127.0.0.1:1/t", TRESOR_SIGNING_KEY_PATH=str(key)
    )
    assert (ended.code, "chmod 600" in ended.err) == (2, True)


async def test_usage_errors_and_help(tresor: Tresor, tmp_path: Path) -> None:
    assert (await tresor("workspace", "creat")).code == 2
    assert (await tresor("workspace", "create")).code == 2
    missing = await tresor("workspace", "create", "-f", str(tmp_path / "none.yaml"))
    assert (missing.code, "No such file" in missing.err) == (2, True)
    wrong_name = await tresor("workspace", "show", "Not A Name")
    assert (wrong_name.code, "is no workspace name" in wrong_name.err) == (2, True)
    unconfirmed = await tresor("workspace", "delete", "openhpc")
    assert (unconfirmed.code, "give --yes" in unconfirmed.err) == (2, True)
    began = _children_seconds()
    helped = await tresor("--help")
    assert (helped.code, "workspace" in helped.out) == (0, True)
    assert _children_seconds() - began < 3, "nothing heavy is imported for help"


def _children_seconds() -> float:
    """Processor time of every process that was waited for."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


async def test_completion_is_there(tresor: Tresor) -> None:
    ended = await tresor("completion", "bash")
    assert (ended.code, "_TRESOR_COMPLETE" in ended.out) == (0, True)
    words = await tresor(COMP_WORDS="tresor wor", COMP_CWORD="1", _TRESOR_COMPLETE="complete_bash")
    assert "workspace" in words.out


async def test_what_is_no_brokers_url_is_told_without_its_password(tresor: Tresor) -> None:
    for url in ("nonsense", "http://operator:secret@127.0.0.1/", "amqp://operator:secret@127.0.0.1:none/", "amqp://"):
        ended = await tresor("workspace", "list", TRESOR_AMQP_URL=url)
        assert (ended.code, "the setting amqp_url is no broker's URL" in ended.err, "secret" in ended.err) == (
            2,
            True,
            False,
        )

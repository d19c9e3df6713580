"""What somebody is told whose key is for some workspaces only, or is not the key that the services know."""

import json
from pathlib import Path

import pytest

from contracts.envelope import Role
from shared.signing import generate
from shared.testing import Site
from tests.operator_cli.conftest import Tresor
from tests.operator_cli.provisioner_double import make_context, make_handlers

BOUNDS = "your key is for other-*, more-*: what is of other workspaces is not shown"


@pytest.fixture
async def served(site: Site) -> Site:
    await site.start(make_handlers(), make_context)
    return site


async def test_a_list_says_once_that_it_is_as_wide_as_the_key(served: Site, operator: Tresor) -> None:
    served.keys.add("bob", frozenset({Role.OPERATOR}), workspaces=("other-*", "more-*"))
    bob = str(served.keys.path("bob"))
    for arguments in (("workspace", "list"), ("workspace", "list", "-o", "json"), ("parked",)):
        ended = await operator(*arguments, TRESOR_SIGNING_KEY_PATH=bob)
        assert (ended.code, ended.err.count(BOUNDS)) == (0, 1), ended.err
        assert BOUNDS not in ended.out
    listed = await operator("workspace", "list", "-o", "json", TRESOR_SIGNING_KEY_PATH=bob)
    assert json.loads(listed.out)["workspaces"] == []
    everybody = await operator("workspace", "list")
    assert (everybody.code, everybody.err) == (0, "")
    about_one = await operator("workspace", "show", "other-1", TRESOR_SIGNING_KEY_PATH=bob)
    assert BOUNDS not in about_one.err


async def test_another_key_under_a_known_id_is_told_what_to_do(served: Site, operator: Tresor, tmp_path: Path) -> None:
    private, _ = generate("ana")
    path = tmp_path / "mine.jwk"
    path.write_text(private)
    path.chmod(0o600)
    ended = await operator("workspace", "list", TRESOR_SIGNING_KEY_PATH=str(path))
    assert ended.code == 6
    assert "the signature does not fit the bytes" in ended.err
    assert "what to do: the keyring has another key under this id" in ended.err

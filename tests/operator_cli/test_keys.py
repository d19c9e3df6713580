"""`tresor keys`: made, added, listed, revoked; the private half never shown."""

import json
import stat
from pathlib import Path

from shared.signing import Keyring, Signer
from tests.operator_cli.conftest import Tresor


async def test_a_key_is_made_added_and_revoked(tresor: Tresor, tmp_path: Path) -> None:
    ring = tmp_path / "keyring.json"
    made = await tresor("keys", "generate", "ana-2026", "--holder", "ana@example.org", "--workspace", "genome-*")
    assert made.code == 0, made.err
    path = tmp_path / "config" / "tresor" / "ana-2026.jwk"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = json.loads(path.read_text())["d"]
    assert secret not in made.out + made.err
    entry = json.loads(made.out)
    assert (entry["holder"], entry["roles"], entry["workspaces"]) == ("ana@example.org", ["operator"], ["genome-*"])

    for _ in range(2):  # adding the same twice is the same once
        added = await tresor("keys", "add", "-", "--keyring", str(ring), stdin=made.out)
        assert added.code == 0, added.err
    body = b"anything"
    signature = Signer.load(path).sign(body)
    keyring = Keyring.load(ring)
    key = keyring.keys["ana-2026"]
    assert keyring.verify(body, signature, key.not_before).holder == "ana@example.org"

    refused = await tresor("keys", "revoke", "ana-2026", "--keyring", str(ring))
    assert (refused.code, "give --yes" in refused.err) == (2, True)
    revoked = await tresor("keys", "revoke", "ana-2026", "--keyring", str(ring), "--yes")
    assert revoked.code == 0, revoked.err
    listed = await tresor("keys", "list", "-o", "json", TRESOR_KEYRING_PATH=str(ring))
    assert [one["state"] for one in json.loads(listed.out)] == ["revoked"]
    shown = await tresor("keys", "show", "nobody", TRESOR_KEYRING_PATH=str(ring))
    assert shown.code == 1


async def test_nothing_is_overwritten_and_no_private_key_is_taken(tresor: Tresor, tmp_path: Path) -> None:
    private = tmp_path / "me.jwk"
    arguments = ("keys", "generate", "me", "--holder", "me@example.org", "--private", str(private))
    assert (await tresor(*arguments)).code == 0
    before = private.read_text()
    again = await tresor(*arguments)
    assert (again.code, "is not overwritten" in again.err, private.read_text()) == (2, True, before)
    leaked = await tresor("keys", "add", str(private), "--keyring", str(tmp_path / "ring.json"))
    assert (leaked.code, "holds a private key" in leaked.err) == (2, True)
    assert not (tmp_path / "ring.json").exists()
    role = await tresor("keys", "generate", "you", "--holder", "you@example.org", "--role", "god")
    assert (role.code, "use one of: operator" in role.err) == (2, True)
    assert not (tmp_path / "config" / "tresor" / "you.jwk").exists()


async def test_a_key_id_is_given_once(tresor: Tresor, tmp_path: Path) -> None:
    ring = str(tmp_path / "ring.json")
    for number, code in ((1, 0), (2, 2)):
        ended = await tresor(
            "keys", "generate", "me", "--holder", "me@example.org",
            "--private", str(tmp_path / f"{number}.jwk"), "--keyring", ring,
        )  # fmt: skip
        assert ended.code == code, ended.err
    assert "a key id is given once" in ended.err

"""Tunnel documents: what is refused, what both ends get, and what a real Libreswan says to it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from bootstrap.console import Console, Lacking
from contracts import tunnel as contract
from contracts.site import Site
from contracts.tunnel import TunnelDocument, problems
from lab.libreswan import Libreswan
from operator_cli.libreswan import connection, write_ends
from tests.operator_cli.conftest import Tresor

TUNNEL: dict[str, Any] = {
    "kind": "Tunnel",
    "name": "azure",
    "near": {"gateway": "203.0.113.2", "prefixes": ["10.10.0.0/16", "10.11.0.0/16"]},
    "far": {"gateway": "198.51.100.2", "own_address": "10.20.255.4", "prefixes": ["10.20.0.0/16"]},
}
SITE = {"tunnels": {"azure": {"peers": ["198.51.100.2/32"], "far_prefixes": ["10.20.0.0/16"]}}, "name": "here"}
WEAK = ("aes256-sha1;modp1024", "3des-sha2_256;dh14", "aes256-md5;dh14", "aes256-sha2_256;dh22", "null;dh14")


def document(**changes: Any) -> TunnelDocument:
    return TunnelDocument.model_validate({**TUNNEL, **changes})


def end(side: str, **changes: Any) -> dict[str, Any]:
    return {side: {**TUNNEL[side], **changes}}


@pytest.fixture(scope="session")
def libreswan() -> Libreswan:
    """The real one's checks."""
    try:
        return Libreswan.find(Console())
    except Lacking as lacking:
        pytest.fail(f"{lacking}; install Libreswan", pytrace=False)


@pytest.mark.parametrize("proposal", WEAK)
@pytest.mark.parametrize("field", ["ike", "esp"])
def test_weak_proposals_are_refused_by_name(field: str, proposal: str) -> None:
    """Row D6: what the DTU's example has, among others."""
    with pytest.raises(ValidationError, match=r"is weak; ask the far side"):
        document(**{field: [proposal]})


@pytest.mark.parametrize(
    ("field", "proposal"),
    [("ike", "aes_gcm256;dh20"), ("esp", "aes256;dh20"), ("esp", "aes_gcm256-sha2_256;dh20"), ("ike", "aes256-sha2_256"),
     ("ike", "rot13-sha2_256;dh14"), ("esp", "aes256-sha2_256;dh14\n    auto=ignore")],
)  # fmt: skip
def test_what_is_no_whole_proposal_is_refused(field: str, proposal: str) -> None:
    with pytest.raises(ValidationError):
        document(**{field: [proposal]})


def test_a_sound_document_has_no_problem() -> None:
    assert list(problems(document())) == []  # the far gateway's own address lies there, its public one does not


def test_several_groups_for_the_traffic_are_refused(libreswan: Libreswan) -> None:
    """A Libreswan that is given them takes none of the connection."""
    several = ["aes_gcm256;dh20", "aes256-sha2_256;dh14"]
    assert "more than one" in libreswan.propose("esp", ",".join(several))
    with pytest.raises(ValidationError, match="one group"):
        document(esp=several)


@pytest.mark.parametrize("changes", [
    end("far", prefixes=["10.10.128.0/17"]),
    end("near", gateway="10.20.0.1"),
    end("far", gateway="10.20.0.1"),
    end("far", prefixes=["10.20.0.0/16", "2001:db8::/48"]),
])  # fmt: skip
def test_overlaps_and_gateways_in_the_tunnel_are_found(changes: dict[str, Any]) -> None:
    """Row D7."""
    assert len(list(problems(document(**changes)))) == 1


def test_the_site_file_has_to_say_the_same() -> None:
    """Its firewall opens what stands there."""
    site = Site.model_validate(SITE)
    assert list(problems(document(), site)) == []
    for changes in (
        end("far", prefixes=["10.21.0.0/16"]),
        end("far", gateway="198.51.100.9"),
        {"path_mtu_bytes": 1400},
        {"name": "other"},
    ):
        assert len(list(problems(document(**changes), site))) == 1


@pytest.mark.parametrize(
    ("esp", "mtu"), [("aes_gcm256;dh20", 1438), ("aes256-sha2_256;dh14", 1422), ("aes256-sha2_512;dh14", 1406)]
)
def test_what_is_left_for_a_packet(esp: str, mtu: int) -> None:
    """Outer header, UDP, ESP, IV, padding, trailer and integrity check of the packet of that size fill 1500, of the next don't fit."""
    found = document(esp=[esp])
    assert found.inner_mtu_bytes == mtu
    block, rest = (4, 20 + 8 + 8 + 8 + 16) if "gcm" in esp else (16, 20 + 8 + 8 + 16 + (16 if "256;" in esp else 32))

    def outer(size: int) -> int:
        return rest + -(-(size + 2) // block) * block

    assert outer(mtu) <= 1500 < outer(mtu + 1)


def test_libreswan_takes_every_proposal_that_is_strong_and_none_that_is_weak(libreswan: Libreswan) -> None:
    hashes = {cipher: "" if cipher in contract.AUTHENTICATED else "-sha2_256" for cipher in sorted(contract.CIPHERS)}
    for group in sorted(contract.GROUPS):
        esp = [f"{cipher}{digest};{group}" for cipher, digest in hashes.items()]
        ike = [
            f"{cipher}-{digest};{group}" for cipher, digest in zip(hashes, sorted(contract.HASHES) * 2, strict=False)
        ]
        made = document(ike=ike, esp=esp)
        assert libreswan.propose("esp", ",".join(made.esp)) == ""
        assert libreswan.propose("ike", ",".join(made.ike)) == ""
    assert "modp1024" in libreswan.propose("ike", WEAK[0])


def test_libreswan_takes_both_ends(libreswan: Libreswan, tmp_path: Path) -> None:
    """Row D4: each end is the other one's mirror."""
    for changes in (
        {},
        {"esp": ["aes_gcm256;dh20", "aes256-sha2_256;dh20"]},
        end("near", prefixes=["10.10.0.0/16"]),
    ):
        made = document(**changes)
        for side, (path, _) in write_ends(made, tmp_path).items():
            assert libreswan.read(path) == "", side
        assert libreswan.propose("ike", ",".join(made.ike)) == libreswan.propose("esp", ",".join(made.esp)) == ""
    path.write_text(path.read_text().replace("ikelifetime", "nonsense"))
    assert "nonsense" in libreswan.read(path)
    near, far = (dict(line.strip().split("=", 1) for line in connection(document(), side).splitlines() if "=" in line)
                 for side in ("near", "far"))  # fmt: skip
    assert (near["left"], near["right"]) == ("203.0.113.2", "198.51.100.2")
    assert (far["left"], far["leftid"], far["right"]) == ("10.20.255.4", "198.51.100.2", "203.0.113.2")
    assert near["leftsubnets"] == far["rightsubnets"] == "{10.10.0.0/16,10.11.0.0/16}"
    assert [near[name] for name in ("ike", "esp", "mtu")] == [far[name] for name in ("ike", "esp", "mtu")]


def test_the_secret_is_private_the_same_at_both_ends_and_kept(tmp_path: Path) -> None:
    written = write_ends(document(), tmp_path)
    secrets = {path.read_text() for _, path in written.values()}
    assert len(secrets) == 1
    assert {path.stat().st_mode & 0o777 for _, path in written.values()} == {0o600}
    write_ends(document(), tmp_path)
    assert {path.read_text() for _, path in written.values()} == secrets
    assert not any(secret.split('"')[1] in path.read_text() for secret in secrets for path, _ in written.values())


async def test_the_command_names_the_line(tresor: Tresor, tmp_path: Path) -> None:
    path = tmp_path / "tunnel.yaml"
    path.write_text(yaml.safe_dump({**TUNNEL, "ike": [WEAK[0]]}, sort_keys=False))
    refused = await tresor("burst", "tunnel", "-f", str(path))
    assert refused.code == 2
    assert "'sha1' is weak" in refused.err
    assert f"{path}:" in refused.err
    path.write_text(yaml.safe_dump(TUNNEL, sort_keys=False))
    made = await tresor("burst", "tunnel", "-f", str(path), "--to", str(tmp_path / "ends"))
    assert made.code == 0, made.err
    assert "1438 octets" in made.err
    assert len(made.out.splitlines()) == 4

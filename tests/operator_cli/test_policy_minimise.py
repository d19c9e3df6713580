"""`tresor policy minimise` and `hygiene` as their user runs them."""

import json
from pathlib import Path
from typing import Any

import pytest

from contracts import network_policy
from contracts.network_policy import HygieneShown, ShowHygiene
from operator_cli.exits import Exit
from shared.handlers import Handlers
from shared.testing import Site
from shared.work import Work
from tests.network_policy.test_hygiene import OSC, slide, tcp
from tests.operator_cli.conftest import Tresor
from tests.operator_cli.provisioner_double import make_context, make_handlers


def written(folder: Path, document: Any) -> str:
    path = folder / "rules.json"
    path.write_text(json.dumps(document))
    return str(path)


async def test_the_smaller_set_the_proof_and_the_commands(tresor: Tresor, tmp_path: Path) -> None:
    """Offline: without broker, key or cloud."""
    ended = await tresor("policy", "minimise", written(tmp_path, slide()))
    assert ended.code == Exit.OK, ended.err
    assert "65 rules, 56 say the same (no smaller set exists)" in ended.out
    assert "sha256:" in ended.out
    deletes = [line for line in ended.out.splitlines() if line.strip().startswith("openstack ")]
    assert len(deletes) == 9
    as_data = await tresor("policy", "minimise", written(tmp_path, slide()), "-o", "json")
    (group,) = json.loads(as_data.out)
    assert (group["rules"], group["rules_after"], group["is_fewest"]) == (65, 56, True)
    assert group["commands"] == [line.strip() for line in deletes]


async def test_one_group_out_of_many_and_what_the_list_leaves_out(tresor: Tresor, tmp_path: Path) -> None:
    path = written(tmp_path, OSC)
    ended = await tresor("policy", "minimise", path, "--group", "g")
    assert ended.code == Exit.OK, ended.err
    assert "leave alone" in ended.out
    assert "group h" not in ended.out
    assert (await tresor("policy", "minimise", path, "--group", "nobody")).code == Exit.NEGATIVE


async def test_a_group_as_the_openstack_command_shows_it(tresor: Tresor, tmp_path: Path) -> None:
    """`rules` is a list of objects, each with Neutron's fields."""
    rules = [
        {"id": f"r{position}", "direction": "ingress", "ethertype": "IPv4", **tcp(22, prefix=prefix)}
        for position, prefix in enumerate(("10.0.0.0/9", "10.128.0.0/9"))
    ]
    path = written(tmp_path, {"id": "web", "name": "web", "rules": rules})
    ended = await tresor("policy", "minimise", path)
    assert "--dst-port 22:22 --remote-ip 10.0.0.0/8 web" in ended.out


@pytest.mark.parametrize(
    "content", ["", "{", "[1]", "{}", "[" * 100_000, '{"security_groups": [{"security_group_rules": [1]}]}']
)
async def test_what_can_not_be_read_is_said_and_no_traceback(tresor: Tresor, tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    ended = await tresor("policy", "minimise", str(path))
    assert ended.code == Exit.USAGE
    assert "Traceback" not in ended.err
    assert (await tresor("policy", "minimise", str(tmp_path / "missing.json"))).code == Exit.USAGE


@pytest.fixture
async def served(site: Site) -> list[HygieneShown]:
    """network-policy's answer, as the test puts it in."""
    answers: list[HygieneShown] = []
    handlers: Handlers[Any] = Handlers(network_policy)

    @handlers.answer(ShowHygiene)
    async def show(query: ShowHygiene, tx: Work[Any]) -> HygieneShown:
        return answers[-1]

    await site.start(handlers, make_context)
    return answers


async def test_hygiene_is_shown_and_checked(served: list[HygieneShown], operator: Tresor) -> None:
    served.append(HygieneShown.model_validate(HygieneShown.example))
    ended = await operator("policy", "hygiene")
    assert ended.code == Exit.OK, ended.err
    for words in ("secure", "65", "56", "rule-repeated", "40 groups with 900 rules, where 640 would do"):
        assert words in ended.out
    assert (await operator("policy", "hygiene", "--check")).code == Exit.NEGATIVE
    served.append(HygieneShown(groups=()))
    ended = await operator("policy", "hygiene", "-o", "json")
    assert ended.code == Exit.NEGATIVE, "nobody looked yet"
    assert json.loads(ended.out)["observed_at"] is None


async def test_a_mistyped_name_is_not_told_as_good(served: list[HygieneShown], site: Site, operator: Tresor) -> None:
    """`--check` in a pipeline would pass for ever on a workspace that is not there."""
    await site.start(make_handlers(), make_context)
    looked = HygieneShown.model_validate({**HygieneShown.example, "groups": []})
    served.append(looked)
    ended = await operator("policy", "hygiene", "genmoe-42", "--check")
    assert (ended.code, "there has never been a workspace 'genmoe-42'" in ended.err) == (Exit.NEGATIVE, True)


async def test_what_several_rules_share_is_told_once(served: list[HygieneShown], operator: Tresor) -> None:
    example = HygieneShown.model_validate(HygieneShown.example)
    remark = example.groups[0].remarks[0]
    group = example.groups[0].model_copy(update={"remarks": (remark, remark, remark), "more_remarks": 0})
    served.append(example.model_copy(update={"groups": (group,)}))
    ended = await operator("policy", "hygiene")
    assert ended.out.count(remark.words) == 1
    assert f"{remark.words} (3 rules)" in " ".join(ended.out.split())

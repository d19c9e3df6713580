"""`tresor burst` against a burst-scheduler on a real broker and database."""

import json
import os
from pathlib import Path

from burst_scheduler.handlers import handlers
from burst_scheduler.main import make_context
from burst_scheduler.settings import Settings
from contracts.burst_scheduler import PoolReady
from contracts.examples import WORKSPACE
from shared.testing import Site
from tests.burst_scheduler.test_domain import BURST, declared, ready
from tests.operator_cli.conftest import Tresor


async def test_nodes_are_resumed_and_suspended_by_hand(site: Site, operator: Tresor) -> None:
    """Row D2: the same without Slurm."""
    await site.start(handlers, make_context, Settings)
    await site.tell(declared(1, {**BURST, "max_nodes": 3}))
    await site.tell(ready(1))
    await site.tap.until(PoolReady, workspace=WORKSPACE)
    ended = await operator("burst", "resume", WORKSPACE, "cloud[1-3]")
    assert (ended.code, "is applied" in ended.err) == (0, True), ended.err
    too_many = await operator("burst", "resume", WORKSPACE, "cloud4")
    assert too_many.code == 3
    assert "the pool has 3 nodes" in too_many.err
    ended = await operator("burst", "suspend", WORKSPACE, "cloud[1-2]")
    assert ended.code == 0, ended.err
    listed = json.loads((await operator("burst", "nodes", WORKSPACE, "--all", "-o", "json")).out)["nodes"]
    assert [(one["name"], one["state"]) for one in listed] == [
        ("cloud1", "released"), ("cloud2", "released"), ("cloud3", "wanted"),
    ]  # fmt: skip
    shown = await operator("burst", "nodes", WORKSPACE)
    assert "cloud3" in shown.out
    assert "cloud1" not in shown.out
    pools = await operator("burst", "pools")
    assert "1/3" in pools.out


async def test_what_is_no_list_of_nodes_is_not_sent(tresor: Tresor) -> None:
    for arguments, words in ((("cloud 1",), "no list of nodes"), (("",), "no list of nodes")):
        ended = await tresor("burst", "resume", WORKSPACE, *arguments)
        assert ended.code == 2
        assert words in ended.err
    ended = await tresor("burst", "nodes", "No Name")
    assert (ended.code, "no workspace name" in ended.err) == (2, True)


async def test_the_hooks_programs_are_written(tresor: Tresor, tmp_path: Path) -> None:
    settings = tmp_path / "burst.json"
    missing = await tresor("burst", "hooks", "--settings", str(settings), "--to", str(tmp_path / "bin"))
    assert (missing.code, "can't be read" in missing.err) == (2, True)
    broker = {"host": "127.0.0.1", "port": 5672, "vhost": "tresor", "user": "scheduler", "password_path": "/nowhere"}
    fields = {"workspace": WORKSPACE, "holder": "slurm", "signing_key_path": "/nowhere", "spool_path": "/nowhere"}
    settings.write_text(json.dumps({**fields, "broker": broker}))
    written = await tresor("burst", "hooks", "--settings", str(settings), "--to", str(tmp_path / "bin"))
    assert written.code == 0, written.err
    lines = dict(line.split("=") for line in written.out.splitlines() if not line.startswith("#"))
    assert lines.keys() == {"ResumeProgram", "SuspendProgram", "ResumeFailProgram"}
    assert all(os.access(path, os.X_OK) for path in lines.values())

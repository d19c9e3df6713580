"""`make demo` and `make lab-demo`: the chain from a signed command to a proven workspace, and a break-in mended.

Exit codes: 0 all of it was shown · 1 it was not · 69 something is missing on this machine · 130 Ctrl-C.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from bootstrap.console import Console, Lacking  # noqa: E402  the folder is on the path only now
from contracts.site import Site  # noqa: E402
from contracts.workspace import Workspace  # noqa: E402
from demo import kept  # noqa: E402
from demo.estate import Estate, ServiceEnded  # noqa: E402
from demo.runs import new_folder  # noqa: E402
from demo.story import Disappointed, Story  # noqa: E402
from operator_cli.document import load  # noqa: E402
from operator_cli.exits import Stop  # noqa: E402
from operator_cli.printing import tell_complaints  # noqa: E402
from shared.errors import TresorError  # noqa: E402
from shared.settings import load_site  # noqa: E402
from shared.yaml_source import BadSource  # noqa: E402

FAILED = 1
MISSING = 69
"""EX_UNAVAILABLE of sysexits.h."""
INTERRUPTED = 130
WATCH_SECONDS = 0.5


def arguments() -> argparse.Namespace:
    """The command line; `KEEP=1` in the environment is `--keep`."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--cloud", choices=("twin", "lab"), default="twin")
    parser.add_argument("--keep", action="store_true", default=os.environ.get("KEEP", "") not in ("", "0"))
    parser.add_argument("--stop", action="store_true", help="end what an earlier run with KEEP=1 left running")
    parser.add_argument("--document", type=Path, default=HERE / "openhpc.yaml")
    parser.add_argument("--site", type=Path, default=HERE / "site.yaml")
    parser.add_argument("--name", help="the workspace's name, in place of the document's")
    return parser.parse_args()


def document_of(chosen: argparse.Namespace, site: Site) -> Workspace:
    """The workspace document. Raises Disappointed when it is wrong."""
    try:
        document, _ = load(chosen.document, site)
    except BadSource as error:
        tell_complaints(error.source, error.complaints)
        raise Disappointed(f"{chosen.document} is no good document") from None
    return document.model_copy(update={"name": chosen.name}) if chosen.name else document


async def tell(estate: Estate, story: Story, cloud: str) -> None:
    """Everything that is to be shown, in order."""
    await estate.open(cloud)
    await estate.start_services()
    estate.write_operator_config()
    await story.create()
    await story.verdict(detailed=True)
    repair = await story.break_in()
    story.tell(repair)
    await story.verdict(detailed=False)
    await story.audit()
    await story.siem(estate.siem_path / "events.jsonl")


async def watch(estate: Estate) -> None:
    """Ends, by raising ServiceEnded, when a process of the demo does."""
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        estate.check_alive()


async def demo(chosen: argparse.Namespace, console: Console) -> int:
    """All of it. Returns the exit code; cleans up whatever happens."""
    site = load_site(chosen.site)
    document = document_of(chosen, site)
    estate = Estate(new_folder(), console, chosen.site, document.name)
    story = Story(estate, console, document, site)
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted.set)
    telling = asyncio.create_task(tell(estate, story, chosen.cloud))
    watching = asyncio.create_task(watch(estate))
    stopping = asyncio.create_task(interrupted.wait())
    code = FAILED
    try:
        await asyncio.wait({telling, watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if interrupted.is_set():
            code = INTERRUPTED
            console.step("interrupted: cleaning up")
        else:
            await (watching if watching.done() else telling)
            code = 0
    except Lacking as lacking:
        complain(f"the demo can't go on: {lacking}")
        code = MISSING
    except ServiceEnded as error:
        complain(f"the demo failed: {error}")
    except (Disappointed, Stop, TresorError, LookupError) as error:
        complain(f"the demo failed: {error}")
        for service in ("provisioner", "network-policy", "storage", "security-monitor"):
            if estate.log_path(service).exists():
                complain(estate.log_tail(service))
    finally:
        for task in (telling, watching, stopping):
            task.cancel()
        await asyncio.gather(telling, watching, stopping, return_exceptions=True)
        code = await leave(estate, story, console, chosen, code)
    return code


async def leave(estate: Estate, story: Story, console: Console, chosen: argparse.Namespace, code: int) -> int:
    """Say where things are, and leave the machine and a cloud that stays as they were, unless told to keep."""
    if chosen.keep and code == 0:
        await estate.close(keep_running=True)
    else:
        if estate.cloud is not None and not estate.cloud.is_ours and story.is_created:
            try:
                await story.delete()
            except (Disappointed, Stop, TresorError) as error:
                complain(f"workspace '{story.name}' is still in the cloud: {error}")
                code = code or FAILED
        await estate.close()
    console.step(f"the SIEM's events (OCSF, JSON lines): {estate.siem_path}")
    console.step(f"logs and traces: {estate.folder / 'logs'}")
    if chosen.keep and code == 0:
        console.step(
            f"still running. Look around: TRESOR_CONFIG={estate.folder / 'tresor.yaml'} .venv/bin/tresor doctor"
        )
        console.step("stop it: make demo ARGS=--stop")
    return code


def complain(text: str) -> None:
    """Trouble, to standard error."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """The command."""
    chosen = arguments()
    console = Console()
    began = time.monotonic()
    if chosen.stop:
        kept.stop_all(console)
        return 0
    try:
        kept.stop_all(console, quiet=True)
        code = asyncio.run(demo(chosen, console))
    except (Disappointed, TresorError, OSError) as error:
        complain(f"the demo failed: {error}")
        code = FAILED
    words = {0: "done", FAILED: "failed", MISSING: "not possible here", INTERRUPTED: "interrupted"}[code]
    console.step(f"{words} after {time.monotonic() - began:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())

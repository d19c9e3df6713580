"""A cloud that is asked by the command line itself, with the user's own entry of clouds.yaml."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from operator_cli.exits import Exit, Stop

if TYPE_CHECKING:
    from shared.cloud import Cloud

T = TypeVar("T")

THREADS = 8
TIMEOUT_SECONDS = 60.0


async def asked(name: str, path: Path | None, ask: "Callable[[Cloud], Awaitable[T]]") -> T:
    """What `ask` gets from the cloud of that name. Raises Stop when it can't be reached, or refuses the login."""
    from operator_cli.settings import load
    from shared.clock import SystemClock
    from shared.cloud import Cloud
    from shared.errors import CloudError, Configuration

    cloud = Cloud(name, path or load().clouds_path, SystemClock(), threads=THREADS, timeout_seconds=TIMEOUT_SECONDS)
    try:
        return await ask(cloud)
    except Configuration as error:
        raise Stop(Exit.USAGE, str(error), "give --clouds, or set TRESOR_CLOUDS_PATH") from None
    except CloudError as error:
        words = " ".join(str(error).split())[:300]
        code = Exit.NOT_PERMITTED if error.status in (401, 403) else Exit.UNREACHABLE
        raise Stop(code, f"{name}: {words}", "check the entry in clouds.yaml, and that Keystone is up") from None
    finally:
        cloud.close()

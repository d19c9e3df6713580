"""A service that fails at what it hears until it is told not to: storage's name on the real chassis."""

from contracts import storage
from contracts.provisioner import NetworkReady
from shared.handlers import Handlers
from shared.work import Work


class Stumbling:
    """A handler's luck: it fails while it is `broken`."""

    def __init__(self) -> None:
        self.broken = True
        self.handled: list[int] = []


def make_handlers() -> Handlers[Stumbling]:
    """One handler, which remembers the generations that it handled."""
    handlers: Handlers[Stumbling] = Handlers(storage)

    @handlers.on(NetworkReady)
    async def on_ready(seen: NetworkReady, tx: Work[Stumbling]) -> None:
        if tx.context.broken:
            raise KeyError("internal")
        tx.context.handled.append(seen.generation)

    return handlers


async def make_context(*_: object) -> Stumbling:
    return Stumbling()

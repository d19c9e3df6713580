"""What is in the spool goes to the broker, oldest first, each confirmed before it is removed."""

from collections.abc import Callable

from operator_cli.burst_hook.calls import Broken, read_call
from operator_cli.burst_hook.publisher import Away, Publisher
from operator_cli.burst_hook.sealing import Sealer
from operator_cli.burst_hook.settings import Settings, read_secret
from operator_cli.burst_hook.spool import Spool

ANSWER_SECONDS = 10.0
"""How long one answer of the broker is waited for."""
_PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Between attempts; the last one again and again."""


def send(
    settings: Settings,
    spool: Spool,
    now: Callable[[], float],
    random_octets: Callable[[int], bytes],
    sleep: Callable[[float], None],
    log: Callable[[str], None],
) -> bool:
    """Send until nothing is left; whether nothing is. At once when another process is sending: it sees ours too.

    Raises Unusable when a secret can't be used.
    """
    while True:
        turn = spool.take_turn()
        if turn is None:
            return True
        try:
            is_empty = _send_all(settings, spool, now, random_octets, sleep, log)
        finally:
            spool.end_turn(turn)
        # A call that came after the last look found us sending, and relies on us.
        if not is_empty or not spool.names():
            return is_empty


def _send_all(
    settings: Settings,
    spool: Spool,
    now: Callable[[], float],
    random_octets: Callable[[int], bytes],
    sleep: Callable[[float], None],
    log: Callable[[str], None],
) -> bool:
    sealer = Sealer(settings.holder, read_secret(settings.signing_key_path))
    password = read_secret(settings.broker.password_path)
    until, attempt = now() + settings.send_seconds, 0
    while spool.names():
        try:
            with Publisher(settings.broker, password, ANSWER_SECONDS) as publisher:
                _publish_all(publisher, sealer, settings.workspace, spool, now, random_octets, log)
        except Away as away:
            pause = _PAUSES_SECONDS[min(attempt, len(_PAUSES_SECONDS) - 1)]
            if attempt == 0:
                log(f"the broker is away, {len(spool.names())} calls wait: {away}")
            if now() + pause > until:
                return False
            attempt += 1
            sleep(pause)
    return True


def _publish_all(
    publisher: Publisher,
    sealer: Sealer,
    workspace: str,
    spool: Spool,
    now: Callable[[], float],
    random_octets: Callable[[int], bytes],
    log: Callable[[str], None],
) -> None:
    while names := spool.names():
        for name in names:
            try:
                kind, data = read_call(spool.read(name), workspace)
            except Broken as error:
                log(f"call {name} is broken and set aside: {error}")
                spool.set_aside(name)
                continue
            publisher.publish(sealer.seal(kind, data, now(), random_octets))
            spool.remove(name)

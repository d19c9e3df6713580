"""Everything the twin draws by lot: ids, addresses, delays, faults. One seed gives one history.

Each kind of thing has a stream of its own, so that one more request id does not shift every later server's id.
"""

import random
import uuid


class Chance:
    """Named streams of numbers derived from one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[str, random.Random] = {}

    def stream(self, name: str) -> random.Random:
        """The stream of that name, made at its first use."""
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = random.Random(f"{self.seed}:{name}")
        return stream

    def uuid(self, kind: str) -> str:
        """A random (version 4) UUID."""
        return str(uuid.UUID(int=self.stream("id:" + kind).getrandbits(128), version=4))

    def hex_id(self, kind: str) -> str:
        """32 hex digits, as Keystone's ids are."""
        return self.uuid(kind).replace("-", "")

    def request_id(self) -> str:
        """`req-…`."""
        return "req-" + self.uuid("request")

    def mac(self) -> str:
        """An address under Neutron's default base, fa:16:3e."""
        tail = self.stream("mac").getrandbits(24)
        return f"fa:16:3e:{tail >> 16:02x}:{tail >> 8 & 255:02x}:{tail & 255:02x}"

    def word(self, kind: str, length: int) -> str:
        """Small letters and digits."""
        stream = self.stream("word:" + kind)
        return "".join(stream.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(length))

    def delay_seconds(self, resource_id: str, step: str, low: float, high: float) -> float:
        """A delay that depends on the resource and the step only, not on what else is going on."""
        return random.Random(f"{self.seed}:{resource_id}:{step}").uniform(low, high)

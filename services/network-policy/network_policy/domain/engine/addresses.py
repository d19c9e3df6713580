"""Whose an address is: single addresses sorted, so that a prefix is two bisections away."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator

from network_policy.domain.intervals import Intervals
from network_policy.domain.rule import Ethertype


class AddressBook:
    """Single addresses of one ethertype and the ports that go by them."""

    def __init__(self) -> None:
        self._sorted: list[int] | None = None
        """All addresses in order, once somebody asked for it."""
        self._ports: dict[int, str | set[str]] = {}

    def add(self, address: int, port_id: str) -> None:
        """The port goes by the address."""
        known = self._ports.get(address)
        if known is None:
            self._ports[address] = port_id  # nearly every address has one port: no set for it
            if self._sorted is not None:
                insort(self._sorted, address)
        elif isinstance(known, set):
            known.add(port_id)
        elif known != port_id:
            self._ports[address] = {known, port_id}

    def remove(self, address: int, port_id: str) -> None:
        """The port goes by it no more."""
        known = self._ports.get(address)
        if isinstance(known, set):
            known.discard(port_id)
            if known:
                return
        elif known != port_id:
            return
        del self._ports[address]
        if self._sorted is not None:
            del self._sorted[bisect_left(self._sorted, address)]

    def at(self, address: int) -> tuple[str, ...]:
        """The ports that go by this address."""
        known = self._ports.get(address)
        return () if known is None else (known,) if isinstance(known, str) else tuple(known)

    def at_any(self, addresses: Iterable[int]) -> set[str]:
        """The ports that go by one of these addresses."""
        found: set[str] = set()
        for known in map(self._ports.get, addresses):
            if isinstance(known, str):
                found.add(known)
            elif known is not None:
                found |= known
        return found

    def count(self, addresses: Intervals) -> int:
        """How many addresses of these any port goes by."""
        every = self._in_order()
        return sum(bisect_right(every, high) - bisect_left(every, low) for low, high in addresses)

    def within(self, addresses: Intervals) -> Iterator[str]:
        """The ports that go by one of these; one with several comes several times."""
        every = self._in_order()
        for low, high in addresses:
            for address in every[bisect_left(every, low) : bisect_right(every, high)]:
                yield from self.at(address)

    def _in_order(self) -> list[int]:
        if self._sorted is None:
            self._sorted = sorted(self._ports)
        return self._sorted


def books() -> dict[Ethertype, AddressBook]:
    """An empty book for each ethertype."""
    return {"IPv4": AddressBook(), "IPv6": AddressBook()}

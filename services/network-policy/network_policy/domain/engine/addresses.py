"""Whose an address is: single addresses sorted, so that a prefix is two bisections away."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from network_policy.domain.intervals import Intervals
from network_policy.domain.rule import Ethertype


class AddressBook:
    """Single addresses of one ethertype and the ports that go by them."""

    def __init__(self) -> None:
        self._sorted: list[int] = []
        self._ports: dict[int, str | set[str]] = {}
        self._is_sorted = True

    def add(self, address: int, port_id: str, *, is_bulk: bool = False) -> None:
        """The port goes by the address. In bulk the order is made good when it is next needed."""
        known = self._ports.get(address)
        if known is None:
            self._ports[address] = port_id  # nearly every address has one port: no set for it
            if is_bulk or not self._is_sorted:
                self._sorted.append(address)
                self._is_sorted = False
            else:
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
        self._sort()
        del self._sorted[bisect_left(self._sorted, address)]

    def at(self, address: int) -> tuple[str, ...]:
        """The ports that go by this address."""
        known = self._ports.get(address)
        return () if known is None else (known,) if isinstance(known, str) else tuple(known)

    def count(self, addresses: Intervals) -> int:
        """How many addresses of these any port goes by."""
        self._sort()
        return sum(bisect_right(self._sorted, high) - bisect_left(self._sorted, low) for low, high in addresses)

    def within(self, addresses: Intervals) -> Iterator[str]:
        """The ports that go by one of these; one with several comes several times."""
        self._sort()
        for low, high in addresses:
            for address in self._sorted[bisect_left(self._sorted, low) : bisect_right(self._sorted, high)]:
                yield from self.at(address)

    def _sort(self) -> None:
        if not self._is_sorted:
            self._sorted.sort()
            self._is_sorted = True


def books() -> dict[Ethertype, AddressBook]:
    """An empty book for each ethertype."""
    return {"IPv4": AddressBook(), "IPv6": AddressBook()}

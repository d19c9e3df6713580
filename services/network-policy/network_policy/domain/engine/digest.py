"""The digest of all that is known, kept as a tree of SHA-256: a change hashes one row and one leaf anew.

Each row belongs to one leaf, by the hash of its kind and id; a leaf is hashed over its rows in order, the root over all
leaves in order. So the digest depends on what is there alone, not on how it came, and two states with the same digest
are a collision of SHA-256. A sum of hashes would be quicker still, but sums of short hashes can be made to collide.
"""

import hashlib
from dataclasses import replace

from network_policy.domain.world import Group

_LEAVES = 1024


class Digest:
    """Rows are made only when the digest is asked for: a proof that nobody certifies costs none."""

    def __init__(self) -> None:
        self._rows: list[dict[tuple[str, str], bytes]] = [{} for _ in range(_LEAVES)]
        self._leaves: list[bytes] = [hashlib.sha256(b"").digest()] * _LEAVES
        self._waiting: dict[tuple[str, str], object] = {}

    def put(self, kind: str, id_: str, told: object) -> None:
        """The row is this value, whose `repr` says all of it, or what it returns when it is called."""
        self._waiting[kind, id_] = told

    def drop(self, kind: str, id_: str) -> None:
        """The row is gone."""
        self._waiting[kind, id_] = None

    def value(self) -> str:
        """`sha256:` and the root over all rows."""
        touched: set[int] = set()
        for key, told in self._waiting.items():
            number = int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:4]) % _LEAVES
            touched.add(number)
            if told is None:
                self._rows[number].pop(key, None)
            else:
                self._rows[number][key] = hashlib.sha256(repr((key, _row(told))).encode()).digest()
        self._waiting.clear()
        for number in touched:
            rows = self._rows[number]
            self._leaves[number] = hashlib.sha256(b"".join(rows[key] for key in sorted(rows))).digest()
        return "sha256:" + hashlib.sha256(b"".join(self._leaves)).hexdigest()


def _row(told: object) -> object:
    """What a row is hashed by: rules in the order of their ids, however they came to stand in the group."""
    if isinstance(told, Group):
        return replace(told, rules=tuple(sorted(told.rules, key=lambda each: each.id)))
    return told() if callable(told) else told

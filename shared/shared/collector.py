"""Python's garbage collector, told what a service is like: much that stays, much that is gone with its last reference."""

import gc

_YOUNG_OBJECTS = 20_000
"""A batch of notifications makes some ten thousand containers and drops them together; a round in the middle of it
finds nothing. The default is 700."""


def settle() -> None:
    """Leave what is loaded out of the rounds, and make them rarer. Once, when everything is imported."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)

"""Python's interpreter, told what a service is like: much that stays, and threads that must not keep the loop waiting."""

import gc
import sys

_YOUNG_OBJECTS = 20_000
"""A batch of notifications makes some ten thousand containers and drops them together; a round in the middle of it
finds nothing. The default is 700."""
_THREAD_TURN_SECONDS = 0.0005
"""How long a thread that reads OpenStack's answers may keep the event loop waiting; Python's own 5 ms add up."""


def settle() -> None:
    """Leave what is loaded out of the collector's rounds, make them rarer, and threads' turns short.

    Once, when everything is imported.
    """
    sys.setswitchinterval(_THREAD_TURN_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)

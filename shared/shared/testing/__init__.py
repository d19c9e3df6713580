"""For tests: keys, a keyring, services in this process or as processes, and an operator, on a real broker and database."""

from shared.testing.site import Site

__all__ = ["Site"]

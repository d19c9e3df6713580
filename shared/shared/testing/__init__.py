"""For tests: keys, a keyring, services in this process or as processes, and an operator, on a real broker and database."""

from shared.testing.keys import SERVICES
from shared.testing.site import Site

__all__ = ["SERVICES", "Site"]

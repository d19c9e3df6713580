"""Compiled policies by the document that they come of, so that a storm of notifications compiles none twice."""

from collections import OrderedDict

from contracts.site import Site
from contracts.workspace import Workspace
from network_policy.domain.compile import Policy, compile_policy

MAX_POLICIES = 2000


class Policies:
    """Of one site; the one used longest ago goes first."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, Policy] = OrderedDict()

    def of(self, document: str, site: Site) -> Policy:
        """What the document, in its JSON text, compiles to. Raises Uncompilable."""
        policy = self._found.pop(document, None)
        if policy is None:
            policy = compile_policy(Workspace.model_validate_json(document), site)
            while len(self._found) >= MAX_POLICIES:
                self._found.popitem(last=False)
        self._found[document] = policy
        return policy

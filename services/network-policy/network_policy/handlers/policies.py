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

    def of(self, document: Workspace | str, site: Site) -> Policy:
        """What the document, or its JSON text, compiles to. Raises Uncompilable."""
        text = document if isinstance(document, str) else document.model_dump_json(by_alias=True)
        policy = self._found.pop(text, None)
        if policy is None:
            whole = Workspace.model_validate_json(document) if isinstance(document, str) else document
            policy = compile_policy(whole, site)
            while len(self._found) >= MAX_POLICIES:
                self._found.popitem(last=False)
        self._found[text] = policy
        return policy

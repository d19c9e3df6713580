"""The isolation engine: the prover's verdicts over a cloud that changes one resource at a time.

    engine = Engine(world, claims)            # everything proven once
    engine.put(resource)                      # a Port, GroupRule, Group, AddressGroup, Network, Subnet, Router, …
    engine.drop(kind, id)                     # kind: "port", "rule", "group", "address-group", "network", …
    engine.assign(workspace, port_id, role)   # the record of whose port it is; None takes it back
    engine.put_claim(claim)                   # a workspace's document or groups changed; `drop_claim` ends it
    engine.changed()                          # settles; the workspaces whose verdict may have changed since last asked
    engine.holds(workspace)                   # whether nothing undeclared can pass: cheap
    engine.verdict(workspace)                 # with counterexamples and digest: as costly as what is wrong
    engine.world()                            # everything as it stands

How it is exact: a port whose groups' rules are all declared word for word for its role, whose groups' members are all of
the role, and that goes by its own addresses alone, can do nothing undeclared inside its workspace, with outside, or with
plain strangers. What is left (rules not declared, odd ports, and pairs of ports of two workspaces that inverse indices
of addresses and far ends do not tell apart) is given to `pairs.Examiner`, which the plain `Prover` is made of too.
Changes to networks, subnets, routers, floating IPs and router ports build the engine anew.
"""

from network_policy.domain.engine.proving import Engine

__all__ = ["Engine"]

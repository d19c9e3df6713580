"""Policy tests: what must and what must not reach what, decided exactly over one world.

ends: which ports and addresses an end of a test names · running: the tests, with a packet for each that fails ·
permitting: the packets that must pass · wanted: which packets a test is about ·
checking: what is wrong with a test before any world is asked · saying: a rule and a packet in
words · kinship: ports that are alike, so that a whole cloud is not tried port by port
"""

from network_policy.domain.policy_tests.checking import problems
from network_policy.domain.policy_tests.running import PolicyTester

__all__ = ["PolicyTester", "problems"]

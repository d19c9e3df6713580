"""scenario.py: the workload of a trusted research environment, for recording what OpenStack tells about it.

Each step prints how long it took; the exit status is 1 if any failed. Everything made is deleted at the end.
"""

import secrets
import sys
import time
from collections.abc import Callable

import openstack.exceptions
from workload import baremetal, identity, network, servers, storage
from workload.scene import Scene

STEPS: tuple[Callable[[Scene], None], ...] = (
    identity.make_project_and_users,
    identity.fail_to_log_in,
    network.lay_networks,
    network.write_security_groups,
    servers.boot,
    network.give_a_floating_address,
    servers.walk_through_the_states,
    servers.resize_and_rebuild,
    servers.change_groups_and_interfaces,
    storage.use_a_volume,
    storage.share_by_nfs,
    storage.share_by_cephfs,
    servers.live_migrate,
    servers.evacuate,
    servers.take_an_image,
    baremetal.walk_a_node_through_its_states,
    baremetal.boot_a_server_on_the_node,
)


def run(step: Callable[[Scene], None], scene: Scene) -> bool:
    """Runs a step; a failure is printed and the next step goes on, so that one cannot hide the others."""
    started = time.monotonic()
    name = f"{step.__module__.rsplit('.', 1)[1]}: {step.__name__.replace('_', ' ')}"
    try:
        step(scene)
    except (openstack.exceptions.SDKException, AssertionError, OSError, KeyError, StopIteration) as error:
        print(f"FAIL {time.monotonic() - started:6.1f} s {name}: {error!r}"[:700], flush=True)
        return False
    print(f"ok   {time.monotonic() - started:6.1f} s {name}", flush=True)
    return True


def main() -> None:
    """All steps, then the deletions, last made first."""
    scene = Scene.begin(secrets.token_hex(3))
    done = [run(step, scene) for step in STEPS]
    done.append(run(Scene.tear_down, scene))
    sys.exit(0 if all(done) else 1)


if __name__ == "__main__":
    main()

"""plugger.py OVN-FOLDER HOST...: does what os-vif does on a compute node.

Plugs the ports that are bound to a fake hypervisor into that hypervisor's br-int, so that the real ovn-controller claims
them and Neutron sets them ACTIVE. Looks at the southbound database twice a second.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

LOOK_SECONDS = 0.5
TOOL_TIMEOUT_SECONDS = 60


def tool(*command: str) -> str:
    """A tool's standard output. Raises CalledProcessError, TimeoutExpired."""
    return subprocess.run(command, capture_output=True, text=True, timeout=TOOL_TIMEOUT_SECONDS, check=True).stdout


def wanted(folder: Path, hosts: list[str]) -> dict[str, set[str]]:
    """By host, the ports of virtual machines that Neutron bound to it; a migrating port is bound to two."""
    columns = "--columns=logical_port,options,type"
    answer = tool("ovn-sbctl", f"--db=unix:{folder}/sb.sock", "--format=json", columns, "find", "Port_Binding")
    ports: dict[str, set[str]] = {host: set() for host in hosts}
    for port, options, kind in json.loads(answer)["data"]:
        if kind:
            continue
        for host in dict(options[1]).get("requested-chassis", "").split(","):
            if host in ports:
                ports[host].add(port)
    return ports


class Bridge:
    """A hypervisor's br-int."""

    def __init__(self, folder: Path, host: str) -> None:
        self.vsctl = ("ovs-vsctl", f"--db=unix:{folder}/{host}/db.sock", "--no-wait")
        answer = tool(*self.vsctl, "--format=json", "--columns=name,external_ids", "find", "Interface")
        self.plugged: dict[str, str] = {}
        for name, ids in json.loads(answer)["data"]:
            port = dict(ids[1]).get("iface-id")
            if port:
                self.plugged[port] = name

    def plug(self, ports: set[str]) -> None:
        """Makes the bridge hold these ports and no other."""
        commands: list[str] = []
        new = {port: f"tap{port[:11]}" for port in ports - self.plugged.keys()}
        gone = self.plugged.keys() - ports
        for port, name in new.items():
            commands += ["--", "--may-exist", "add-port", "br-int", name]
            commands += ["--", "set", "interface", name, "type=dummy", f"external_ids:iface-id={port}"]
        for port in gone:
            commands += ["--", "--if-exists", "del-port", "br-int", self.plugged[port]]
        if commands:
            tool(*self.vsctl, *commands[1:])
            self.plugged = {port: name for port, name in self.plugged.items() if port in ports} | new


def main() -> None:
    """Runs until it is stopped; a database that is away is tried again at the next look."""
    folder, hosts = Path(sys.argv[1]), sys.argv[2:]
    bridges = {host: Bridge(folder, host) for host in hosts}
    while True:
        try:
            for host, ports in wanted(folder, hosts).items():
                bridges[host].plug(ports)
        except (subprocess.SubprocessError, json.JSONDecodeError) as error:
            print(repr(error), getattr(error, "stderr", ""), flush=True)
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    main()

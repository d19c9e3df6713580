"""`python -m tests.bench.intruder`: an administrator gone astray, as a process: undeclared changes at an even rate.

Reads its orders as one JSON line and prints, as one, what it did: of each change what of, when it was asked for in
seconds since the epoch, and the answer's status.
"""

import http.client
import json
import random
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from openstack.config import OpenStackConfig
from openstack.connection import Connection

from shared.clock import SystemClock

PORTS = (22, 80, 443, 3306, 5432, 6443, 8080, 8443, 9200, 27017)
THREADS = 16


class Intruder:
    """Changes rules and ports of workspaces that are not its own."""

    def __init__(self, orders: dict[str, Any]) -> None:
        files = OpenStackConfig(config_files=[orders["clouds_file"]], load_envvars=False)
        connection: Any = Connection(config=files.get_one(cloud="lab"))
        self._headers = {"X-Auth-Token": str(connection.auth_token), "Content-Type": "application/json"}
        self._url = urlsplit(str(connection.network.get_endpoint()).rstrip("/"))
        self._orders = orders
        self._chance, self._clock = random.Random(orders["seed"]), SystemClock()
        self._local = threading.local()

    def run(self) -> list[dict[str, Any]]:
        """Make all the changes."""
        begin = self._clock.monotonic_seconds()
        pause = threading.Event()
        with ThreadPoolExecutor(THREADS) as pool:
            futures = []
            for number in range(self._orders["changes"]):
                pause.wait(max(0.0, begin + number / self._orders["per_second"] - self._clock.monotonic_seconds()))
                target = self._chance.choice(self._orders["targets"])
                is_port = self._chance.random() < self._orders["port_share"]
                futures.append(
                    pool.submit(self._port, self._chance.choice(target["ports"]))
                    if is_port
                    else pool.submit(self._rule, self._rule_in(self._chance.choice(target["groups"]), number))
                )
        return [future.result() for future in futures]

    def _rule_in(self, group_id: str, number: int) -> dict[str, Any]:
        low = self._chance.choice(PORTS)
        return {
            "security_group_id": group_id,
            "direction": self._chance.choice(("ingress", "egress")),
            "ethertype": "IPv4",
            "protocol": self._chance.choice(("tcp", "udp")),
            "port_range_min": low,
            "port_range_max": 30_000 + number % 30_000,
            "remote_ip_prefix": f"198.51.{number % 256}.0/24",
        }

    def _rule(self, rule: dict[str, Any]) -> dict[str, Any]:
        asked_at = self._clock.now().timestamp()
        status, body = self._send("POST", "/security-group-rules", {"security_group_rule": rule})
        rule_id = body.get("security_group_rule", {}).get("id", "")
        return {"kind": "rule", "id": rule_id, "asked_at": asked_at, "status": status}

    def _port(self, port_id: str) -> dict[str, Any]:
        asked_at = self._clock.now().timestamp()
        escaped = {"port_security_enabled": False, "security_groups": []}
        status, _ = self._send("PUT", f"/ports/{port_id}", {"port": escaped})
        return {"kind": "port", "id": port_id, "asked_at": asked_at, "status": status}

    def _send(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        wire = getattr(self._local, "wire", None)
        if wire is None:
            wire = self._local.wire = http.client.HTTPConnection(self._url.netloc, timeout=30)
        wire.request(method, self._url.path + path, json.dumps(body), self._headers)
        answer = wire.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else {}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(Intruder(json.loads(sys.stdin.readline())).run()) + "\n")

"""RabbitMQ's management API, as its administrator: vhosts, grants, connections and queues in milliseconds, where
rabbitmqctl would start an Erlang machine for each."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit


class BrokerRefused(Exception):
    """The management API said no; `status` is HTTP's."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


class BrokerAdmin:
    """One broker's management API. Every method blocks; from asyncio call it in a thread."""

    def __init__(self, management_url: str, timeout_seconds: float = 15.0) -> None:
        """`management_url` is `http://user:password@host:port`."""
        parts = urlsplit(management_url)
        self.url = f"{parts.scheme}://{parts.hostname}:{parts.port or 15672}{parts.path.rstrip('/')}"
        self.user = parts.username or ""
        self.password = parts.password or ""
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
        self._timeout_seconds = timeout_seconds
        # The broker of a private instance is on loopback: a proxy named in the environment is not for it.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One call; the decoded answer, None when it is empty. Raises BrokerRefused, or OSError out of reach."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}/api{path}", data, self._headers, method=method)
        try:
            with self._opener.open(request, timeout=self._timeout_seconds) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise BrokerRefused(error.code, error.read(2000).decode(errors="replace")) from None
        return json.loads(text) if text.strip() else None

    def answers(self) -> bool:
        """Whether the broker is up and knows this administrator."""
        try:
            self.request("GET", "/whoami")
        except (OSError, BrokerRefused):
            return False
        return True

    def version(self) -> str:
        """RabbitMQ's version."""
        return str(self.request("GET", "/overview")["rabbitmq_version"])

    def load(self, definitions: Mapping[str, Any]) -> None:
        """Add users, vhosts and grants."""
        self.request("POST", "/definitions", definitions)

    def delete_vhost(self, vhost: str) -> None:
        """Delete a vhost with all in it; its connections are closed. One that is not there is fine."""
        self._delete(f"/vhosts/{quote(vhost, safe='')}")

    def connections(self, vhost: str | None = None, user: str | None = None) -> list[str]:
        """Names of open connections, of one vhost or one user where given."""
        path = f"/vhosts/{quote(vhost, safe='')}/connections" if vhost else "/connections"
        return [
            str(connection["name"])
            for connection in self.request("GET", path)
            if user is None or connection.get("user") == user
        ]

    def close_connections(self, vhost: str | None = None, user: str | None = None) -> int:
        """Close them from the broker's side; how many there were."""
        names = self.connections(vhost, user)
        for name in names:
            self._delete(f"/connections/{quote(name, safe='')}")
        return len(names)

    def queues(self, vhost: str) -> list[dict[str, Any]]:
        """The vhost's queues as the management API shows them."""
        return list(self.request("GET", f"/queues/{quote(vhost, safe='')}"))

    def delete_queue(self, vhost: str, queue: str) -> None:
        """Delete a queue under whoever uses it. One that is not there is fine."""
        self._delete(f"/queues/{quote(vhost, safe='')}/{quote(queue, safe='')}")

    def purge_queue(self, vhost: str, queue: str) -> None:
        """Drop what a queue holds ready."""
        self.request("DELETE", f"/queues/{quote(vhost, safe='')}/{quote(queue, safe='')}/contents")

    def exchanges(self, vhost: str) -> list[str]:
        """Names of the vhost's exchanges, the broker's own left out."""
        found = self.request("GET", f"/exchanges/{quote(vhost, safe='')}")
        return sorted(str(one["name"]) for one in found if one["name"] and not one["name"].startswith("amq."))

    def delete_exchange(self, vhost: str, exchange: str) -> None:
        """Delete an exchange and its bindings. One that is not there is fine."""
        self._delete(f"/exchanges/{quote(vhost, safe='')}/{quote(exchange, safe='')}")

    def _delete(self, path: str) -> None:
        try:
            self.request("DELETE", path)
        except BrokerRefused as refused:
            if refused.status != 404:
                raise

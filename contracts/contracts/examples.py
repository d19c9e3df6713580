"""Values that the examples of several messages share, so that they tell one story: the demo's workspace."""

from typing import Any

WORKSPACE = "openhpc"
PROJECT_ID = "8f1e3c5a7b9d4e2f8a6c1b3d5e7f9a0b"

DOCUMENT: dict[str, Any] = {
    "apiVersion": "tresor/v1",
    "kind": "Workspace",
    "name": WORKSPACE,
    "owner": "ana@example.org",
    "affiliation": "internal",
    "sensitivity": "sensitive",
    "expiry": "2027-12-31",
    "networks": [{"name": "cluster", "class": "private", "cidr": "10.42.0.0/24"}],
    "roles": [
        {"name": "login", "count": 1, "flavor": "tre.small", "image": "tiny", "networks": ["cluster"]},
        {"name": "compute", "count": 5, "flavor": "tre.large", "image": "tiny", "networks": ["cluster"]},
    ],
    "flows": [
        {"from": "site:jumphosts", "to": "login", "ports": ["22"]},
        {"from": "login", "to": "compute", "ports": ["22", "6817-6819"]},
    ],
    "storage": {
        "shares": [
            {"name": "home", "size_gib": 100, "access": {"login": "rw", "compute": "rw"}},
            {"name": "scratch", "size_gib": 1000, "access": {"login": "rw", "compute": "rw"}},
        ]
    },
}

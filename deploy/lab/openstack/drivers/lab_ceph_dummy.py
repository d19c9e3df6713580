"""Manila's own DummyDriver serves NFS and CIFS only; this one serves CEPHFS with cephx rules, as the CephFS driver does.

The only driver code of the lab that is not OpenStack's own. Loaded by manila-share from the lab's state folder.
"""

import base64
import hashlib
from typing import Any

from manila import exception
from manila.tests.share.drivers import dummy


class CephDummyDriver(dummy.DummyDriver):  # type: ignore[misc]
    """No Ceph cluster is behind it: paths and keys have the right form and open nothing."""

    def _create_share(self, context: Any, share: Any, share_server: Any = None) -> list[dict[str, object]]:
        if share["share_proto"] != "CEPHFS":
            raise exception.InvalidShareAccess(reason="this back end serves CEPHFS only")
        name = self._get_share_name(share)
        path = f"/volumes/_nogroup/{share['id']}/{name}"
        self.private_storage.update(share["id"], {"fake_provider_share_name": name, "fake_provider_location": path})
        return [{"path": f"10.0.0.10:6789,10.0.0.11:6789:{path}", "is_admin_only": False, "metadata": {}}]

    def update_access(
        self,
        context: Any,
        share: Any,
        access_rules: Any,
        add_rules: Any,
        delete_rules: Any,
        update_rules: Any,
        share_server: Any = None,
    ) -> dict[str, dict[str, str]]:
        """Gives each cephx rule a key derived from its share and user; any other rule ends in error."""
        outcome = {}
        for rule in add_rules or access_rules:
            if rule["access_type"] == "cephx":
                digest = hashlib.sha256((share["id"] + rule["access_to"]).encode()).digest()[:28]
                outcome[rule["access_id"]] = {"access_key": "AQ" + base64.b64encode(digest).decode()}
            else:
                outcome[rule["access_id"]] = {"state": "error"}
        return outcome

    def _update_share_stats(self, data: Any = None) -> None:
        super()._update_share_stats(data)
        self._stats["storage_protocol"] = "CEPHFS"

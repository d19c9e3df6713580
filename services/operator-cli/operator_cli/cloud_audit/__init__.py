"""`tresor audit`: what is wrong with a cloud that Tresor has never seen. No bus, no database, nothing written."""

from operator_cli.cloud_audit.command import audit

__all__ = ["audit"]

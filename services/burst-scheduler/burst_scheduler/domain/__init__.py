"""What burst-scheduler decides: which workspaces have a pool, and which of its nodes are wanted. Pure."""

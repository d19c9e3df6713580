"""Tresor's broker as it is deployed: who may do what on it."""

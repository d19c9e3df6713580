"""Tresor's database as it is deployed: a role and a schema per service."""

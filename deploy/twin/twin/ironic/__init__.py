"""Ironic v1."""

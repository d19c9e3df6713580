"""Burst-scheduler's own rows."""

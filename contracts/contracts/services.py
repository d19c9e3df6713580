"""The five services by name: what their types begin with, and whom they sign and connect as."""

SERVICES = ("provisioner", "network-policy", "storage", "burst-scheduler", "security-monitor")

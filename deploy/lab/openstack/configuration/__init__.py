"""The lab's configuration files, one room for each OpenStack service."""

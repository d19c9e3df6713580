"""The lab's own RabbitMQ node."""

from configuration.site import HOST, Site


def write(site: Site) -> None:
    """rabbitmq.conf: loopback only, no plugin, limits that fit a small machine."""
    (site.etc / "rabbitmq.conf").write_text(
        f"""listeners.tcp.1 = {HOST}:{site.ports["amqp"]}
loopback_users = none
log.file.level = warning
vm_memory_high_watermark.absolute = 2GiB
disk_free_limit.absolute = 200MB
collect_statistics_interval = 30000
"""
    )
    (site.etc / "rabbitmq-env.conf").write_text("")
    (site.etc / "rabbitmq_plugins").write_text("[].\n")

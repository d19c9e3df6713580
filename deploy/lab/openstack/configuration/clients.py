"""What a client of the lab needs: clouds.yaml and lab.env."""

from configuration.site import HOST, Site

TRESOR_USERS = (
    "tresor-provisioner",
    "tresor-network-policy",
    "tresor-storage",
    "tresor-burst-scheduler",
    "tresor-security-monitor",
)


def cloud(site: Site, name: str, user: str, scope: str) -> str:
    """One entry of clouds.yaml."""
    return f"""  {name}:
    region_name: RegionOne
    identity_api_version: 3
    auth:
      auth_url: {site.auth_url}
      username: {user}
      password: {site.password}
      user_domain_name: Default
{scope}"""


def write(site: Site) -> None:
    """clouds.yaml: the administrator by project and by system scope, and each Tresor service as itself."""

    def project(name: str) -> str:
        return f"      project_name: {name}\n      project_domain_name: Default\n"

    system = "      system_scope: all\n"
    entries = [
        cloud(site, "lab", "admin", project("admin")),
        cloud(site, "lab-system", "admin", system),
        *(cloud(site, user, user, project("service")) for user in TRESOR_USERS),
        cloud(site, "tresor-provisioner-system", "tresor-provisioner", system),
    ]
    (site.etc / "clouds.yaml").write_text("clouds:\n" + "".join(entries))
    bus = f"{HOST}:{site.ports['amqp']}/{site.vhost}"
    (site.etc / "lab.env").write_text(
        f"""export TRESOR_LAB={site.folder}
export OS_CLIENT_CONFIG_FILE={site.etc}/clouds.yaml
export TRESOR_LAB_BUS_URL=amqp://tresor:{site.password}@{bus}
"""
    )

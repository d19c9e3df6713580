"""Writes every configuration file of the lab under $LAB_ETC from the settings in the environment."""

from configuration import baremetal, bus, clients, compute, identity, image, network, placement, shares, volumes
from configuration.site import Site


def main() -> None:
    """Each service's room writes its own files."""
    site = Site.from_environment()
    for room in (identity, placement, image, compute, network, volumes, shares, baremetal, bus, clients):
        room.write(site)


if __name__ == "__main__":
    main()

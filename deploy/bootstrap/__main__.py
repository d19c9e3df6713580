"""`python3 -m bootstrap COMMAND`: what the Makefile calls. `env` and `lock` run on the standard library alone."""

import argparse
import sys
from pathlib import Path

from bootstrap.console import Console, Lacking
from bootstrap.environment import ensure_environment, write_locks


def main() -> int:
    """Run one command; 0 when it did, 69 (EX_UNAVAILABLE of sysexits.h) when something is missing."""
    parser = argparse.ArgumentParser(prog="bootstrap", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("env", help="make .venv what requirements.lock says")
    lock = commands.add_parser("lock", help="write the locks from what the members ask for")
    lock.add_argument("--upgrade", action="store_true", help="take the newest allowed versions")
    commands.add_parser("up", help="start a RabbitMQ and a PostgreSQL that later runs use")
    commands.add_parser("down", help="stop what `up` started")
    deployment = commands.add_parser("deployment", help="write what compose.yaml needs: users, grants, secrets, keys")
    deployment.add_argument("folder", type=Path)
    commands.add_parser("clean", help="end what is left running and delete its data")
    chosen = parser.parse_args()
    console = Console()
    try:
        if chosen.command == "env":
            ensure_environment(console)
        elif chosen.command == "lock":
            write_locks(console, chosen.upgrade)
        elif chosen.command == "deployment":
            from bootstrap.deployment import write_deployment

            write_deployment(chosen.folder, console)
        else:
            # Only these need the environment, which `env` may be about to make.
            from bootstrap import kept

            {"up": kept.up, "down": kept.down, "clean": kept.clean}[chosen.command](console)
    except Lacking as lacking:
        print(f"Tresor can't go on: {lacking}", file=sys.stderr)
        return 69
    return 0


if __name__ == "__main__":
    sys.exit(main())

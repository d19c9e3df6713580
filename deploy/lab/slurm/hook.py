"""ResumeProgram, SuspendProgram and ResumeFailProgram of the lab: `hook.py SOCKET resume|suspend|resume-fail NODES`.

Hands everything that Slurm gave to the machines' server, which keeps it in `calls.jsonl` and acts on it.
"""

import json
import os
import pwd
import socket
import sys


def main() -> None:
    """Say what was called and wait until it is written down."""
    address, name, nodes = sys.argv[1:4]
    call = {
        "do": name,
        "nodes": nodes,
        "user": pwd.getpwuid(os.getuid()).pw_name,
        "environment": sorted(os.environ),
        "open_files": [number for number in (0, 1, 2) if os.path.lexists(f"/proc/self/fd/{number}")],
    }
    if path := os.environ.get("SLURM_RESUME_FILE"):
        with open(path) as file:
            call["resume_file"] = json.load(file)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(address)
        connection.sendall(json.dumps(call).encode() + b"\n")
        connection.recv(1)


if __name__ == "__main__":
    main()

"""Where a hook begins and ends. Exit code 0: the call is on disk. 1: it is not, and Slurm's log says so.

Slurm waits for what is in this room and in `spool`; all else is imported by the process that sends.
"""

import os
import sys
import syslog
import time

from operator_cli.burst_hook.spool import Full, Spool

KINDS = ("resume", "suspend", "resume-fail")
MAX_NODES_CHARACTERS = 65_536
MAX_RESUME_FILE_BYTES = 16 * 1024 * 1024


def run(arguments: list[str]) -> int:
    """`SETTINGS SPOOL resume|suspend|resume-fail NODES` or `SETTINGS SPOOL drain`; the exit code."""
    _fill_standard_files()
    syslog.openlog("tresor-burst", syslog.LOG_PID, syslog.LOG_DAEMON)
    if arguments[2:] == ["drain"]:
        return _send(arguments[0], arguments[1])
    if len(arguments) != 4 or arguments[2] not in KINDS or len(arguments[3]) > MAX_NODES_CHARACTERS:
        _log(f"these are no arguments of a hook: {str(arguments[2:])[:200]}")
        return 2
    settings, path, kind, nodes = arguments
    try:
        Spool(path).append(_call(kind, nodes))
    except (Full, OSError) as error:
        _log(f"{kind} {nodes[:200]}: {error}")
        return 1
    if os.fork() == 0:
        _send_detached(settings, path)
    return 0


def _call(kind: str, nodes: str) -> bytes:
    """The call as it is spooled: three lines, an empty one, and the resume file as it is."""
    resume_file = b""
    if kind == "resume" and (path := os.environ.get("SLURM_RESUME_FILE")):
        try:
            with open(path, "rb") as file:  # Slurm keeps it for ten seconds
                resume_file = file.read(MAX_RESUME_FILE_BYTES)
        except OSError as error:
            _log(f"the resume file can't be read, its jobs are not known: {error}")
    asked_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return f"{kind}\n{asked_at}\n{nodes}\n\n".encode("ascii", "replace") + resume_file


def _send_detached(settings: str, path: str) -> None:
    """Send in a process that Slurm does not wait for: of a session of its own, with no file of Slurm's open."""
    code = 1
    try:
        os.setsid()
        os.chdir("/")
        syslog.closelog()
        # Newer Slurms read a hook's output until nobody holds it open.
        os.closerange(0, 1024)
        _fill_standard_files()
        code = _send(settings, path)
    finally:
        os._exit(code)


def _send(settings: str, path: str) -> int:
    from operator_cli.burst_hook.sending import send
    from operator_cli.burst_hook.settings import Unusable, load

    try:
        is_empty = send(load(settings), Spool(path), time.time, os.urandom, time.sleep, _log)
    except (Unusable, OSError) as error:
        _log(f"calls wait in {path}: {error}")
        return 1
    return 0 if is_empty else 1


def _fill_standard_files() -> None:
    """Slurm closes them: a file that we open would else become standard output."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)


def _log(text: str) -> None:
    syslog.syslog(syslog.LOG_ERR, text)
    if sys.stderr is not None:
        try:
            print(f"tresor-burst: {text}", file=sys.stderr, flush=True)
        except OSError:
            sys.stderr = None  # nobody is left to tell

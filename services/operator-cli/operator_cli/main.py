"""Where the `tresor` process begins and ends: with a code of exits.py and a sentence, no traceback for a user's mistake.

Nothing is imported at the top that takes time, so that an interrupt is heard from the first moment on.
"""

import sys
from contextlib import suppress

from operator_cli import interrupts


def main() -> None:
    """The entry point."""
    interrupts.leave_at_once()
    from operator_cli import streams

    streams.guard()
    code = _written(_run())
    interrupts.leave_silently()
    sys.exit(code)


def _run() -> int:
    from operator_cli.app import app
    from operator_cli.exits import Exit, Stop
    from operator_cli.printing import tell_stop
    from operator_cli.streams import Unwritten, close

    try:
        return int(app(standalone_mode=False) or Exit.OK)
    except Stop as stop:
        tell_stop(stop)
        return stop.code
    except KeyboardInterrupt:  # whoever interrupts a command that was sent was told so where it waits
        return Exit.INTERRUPTED
    except (BrokenPipeError, SystemExit):  # Typer leaves by SystemExit when standard output is closed, and only then
        close(sys.stdout)
        return Exit.OK
    except Unwritten as error:
        return _tell_unwritten(error)
    except Exception as error:
        if type(error).__name__ == "Abort":  # Typer's, for an end of input at a question
            return Exit.INTERRUPTED
        if not hasattr(error, "show"):
            raise
        with suppress(OSError):
            error.show()
        return Exit.USAGE


def _written(code: int) -> int:
    """The code once the rest of the answer is written, or 74 where it can't be and all else was well."""
    from operator_cli.streams import Unwritten, close

    try:
        sys.stderr.flush()
    except OSError:  # nobody is left to tell; the code says it
        close(sys.stderr)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        close(sys.stdout)
    except Unwritten as error:
        return code or _tell_unwritten(error)
    return code


def _tell_unwritten(error: OSError) -> int:
    from operator_cli.exits import Exit, Stop
    from operator_cli.printing import tell_stop
    from operator_cli.streams import close

    close(sys.stdout)
    tell_stop(
        Stop(
            Exit.UNWRITTEN,
            f"the answer could not be written: {error.strerror}",
            "make room, or send it elsewhere, and ask again; a command that was sent goes on",
        )
    )
    return Exit.UNWRITTEN


if __name__ == "__main__":
    main()

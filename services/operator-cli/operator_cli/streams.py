"""Standard output and standard error, told apart from every other file when they take nothing more."""

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Unwritten(OSError):
    """Standard output or standard error takes no more, and nobody has closed it: a full disk, above all."""


class _Descriptor(io.FileIO):
    def write(self, data: "Buffer", /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Unwritten(error.errno, error.strerror) from None


def guard() -> None:
    """Have both streams raise Unwritten. One that whoever began the process has closed goes nowhere."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (open until the process ends)
            continue
        made = io.TextIOWrapper(
            io.BufferedWriter(_Descriptor(descriptor, "w", closefd=False)),
            encoding=stream.encoding,
            errors=stream.errors,
            line_buffering=stream.isatty() or name == "stderr",
        )
        setattr(sys, name, made)


def close(stream: TextIO) -> None:
    """What is left for that stream goes nowhere, and Python's last flush fails on nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

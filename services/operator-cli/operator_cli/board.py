"""What goes on in a workspace, live: a line a service with a progress bar on a terminal, else a line an event."""

from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from contracts.envelope import Message
from contracts.outcome import EffectRecorded
from contracts.provisioner import Progressed
from contracts.services import SERVICES
from operator_cli import sentences
from operator_cli.printing import console

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

_WIDTH = 40


class Board:
    """Shows events as they come. A context manager; what it leaves behind stays readable when scrolled back to."""

    def __init__(
        self,
        title: str,
        began: datetime,
        *,
        stderr: bool = False,
        effects: bool = False,
        services: tuple[str, ...] = SERVICES,
    ) -> None:
        """`effects`: also every single call to the cloud, line by line. `stderr`: standard output is for an answer.

        `services`: those that have a line of their own from the beginning.
        """
        self._services = services
        self._title = title
        self._began = began
        self._console: Console = console(stderr=stderr)
        self._effects = effects
        self._live: Live | None = None
        self._last: dict[str, tuple[str, bool | None, bool]] = {}
        self._progress: tuple[int, int] = (0, 0)
        self._calls: dict[str, int] = {}

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            from rich.live import Live

            self._live = Live(self._picture(), console=self._console, refresh_per_second=8, transient=False)
            self._live.start()
        else:
            self._console.print(self._title, markup=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.update(self._picture())
            self._live.stop()
            self._live = None

    def hear(self, message: Message, at: datetime) -> None:
        """Show an event."""
        if sentences.is_chatter(message):
            return
        service = message.owner()
        said = sentences.sentence(message)
        if isinstance(message, EffectRecorded):
            self._calls[service] = self._calls.get(service, 0) + 1
            if message.outcome == "done" and not self._effects:
                self._refresh()
                return
        if isinstance(message, Progressed):
            self._progress = (message.done, message.total)
        self._last[service] = (said.text, said.good, said.ends)
        self._write(service, said, at)

    def note(self, text: str, at: datetime) -> None:
        """Show words of our own."""
        self._write("", sentences.Sentence(text), at)

    def _write(self, service: str, said: sentences.Sentence, at: datetime) -> None:
        from rich.text import Text

        elapsed = max(0.0, (at - self._began).total_seconds())
        mark = {True: "✓", False: "✗", None: "·"}[said.good]
        words = Text(f"{elapsed:7.1f} s  {service:<17} {mark} {said.text}")
        if said.good is not None:
            words.stylize("green" if said.good else "bold red", 29, 30)
        if self._live is None or said.good is not None:
            self._console.print(words)
        self._refresh()

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.update(self._picture())

    def _picture(self) -> "RenderableType":
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        made = Table.grid(padding=(0, 1), expand=True)
        made.add_column(min_width=16, no_wrap=True)
        made.add_column(min_width=1)
        made.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        made.add_column(min_width=10, justify="right", no_wrap=True)
        for service in self._services:
            text, good, ends = self._last.get(service, ("waiting", None, False))
            style = "bold red" if good is False else "green" if ends else ""
            mark = "✗" if good is False else "✓" if good else "·"
            calls = self._calls.get(service)
            made.add_row(
                service,
                Text(mark, style=style),
                Text(text, style=style),
                "1 call" if calls == 1 else f"{calls} calls" if calls else "",
            )
        title = Text(self._title, style="bold")
        done, total = self._progress
        if not total:
            return Group(Text(""), title, made)
        bar = Table.grid(padding=(0, 1))
        bar.add_row(title, ProgressBar(total=total, completed=done, width=_WIDTH), Text(f"{done}/{total}"))
        return Group(Text(""), bar, made)

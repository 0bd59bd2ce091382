"""How far a study is, on stderr: one live table on a terminal, elsewhere a line now and then."""

import math
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from cli.render import SECONDS_BETWEEN_LINES, duration

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

    from ss_core.experiments.studies.runs import StudyProgress

REDRAWS_PER_S = 4
MOST_SHOWN = 12  # runs in the table


class StudyTable:
    """Shows progress: one live table on a terminal, else a line at most every ten seconds.

    The first and the last state and every failure get a line at once.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._live: Live | None = None
        self._last_s = -math.inf
        self._ended = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, so_far: "StudyProgress") -> None:
        """Show how far it is, if it is time to."""
        if self._quiet:
            return
        ended = len(so_far.failed) + (len(so_far.done) == len(so_far.names))
        now_s = time.monotonic()
        pause_s = 1 / REDRAWS_PER_S if sys.stderr.isatty() else SECONDS_BETWEEN_LINES
        if ended == self._ended and now_s - self._last_s < pause_s:
            return
        self._last_s, self._ended = now_s, ended
        if sys.stderr.isatty():
            self._draw(so_far)
        else:
            click.echo(line_of(so_far), err=True)

    def _draw(self, so_far: "StudyProgress") -> None:
        from rich.console import Console
        from rich.live import Live

        if self._live is None:
            self._live = Live(table_of(so_far), console=Console(stderr=True), auto_refresh=False)
            self._live.start()
        self._live.update(table_of(so_far), refresh=True)


def line_of(so_far: "StudyProgress") -> str:
    """The state in one line: share, runs, failures, time left, the last failure."""
    total = max(1, len(so_far.names))
    failed = f", {len(so_far.failed)} failed" if so_far.failed else ""
    left_s = so_far.left_s()
    left = "" if left_s is None or left_s <= 0 else f", about {duration(left_s)} left"
    last = next(reversed(so_far.failed.items()), None)
    news = "" if last is None else f"  last failure {last[0]}: {last[1]}"
    share = 100 * so_far.behind / total
    return f"study: {share:.0f} %, {len(so_far.done)} of {total} runs{failed}{left}{news}"


def table_of(so_far: "StudyProgress") -> "Table":
    """Runs that failed and runs under way, under one line about all."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    title = line_of(so_far)
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, min_width=len(title) + 2)
    for heading in ("run", "%", "at"):
        table.add_column(heading, justify="right" if heading == "%" else "left", overflow="fold")
    failed = list(so_far.failed.items())[-MOST_SHOWN:]
    for name, reason in failed:
        table.add_row(Text(name), "[red]failed[/red]", Text(reason))
    for name, share in list(so_far.share.items())[:MOST_SHOWN]:
        table.add_row(Text(name), f"{100 * share:.0f}", Text(so_far.note.get(name, "")))
    return table

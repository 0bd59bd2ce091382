"""How far a benchmark is, on stderr: a live table on a terminal, elsewhere a line now and then."""

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

    from paper_envs.bench.runs.progress import Group, RunsProgress

REDRAWS_PER_S = 4


class BenchProgress:
    """Shows progress: one live table on a terminal, else a line at most every ten seconds.

    The first and the last state and every failure get a line at once.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._live: Live | None = None
        self._last_s = -math.inf
        self._failed = 0

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

    def __call__(self, so_far: "RunsProgress") -> None:
        """Show how far it is, if it is time to."""
        if self._quiet:
            return
        if sys.stderr.isatty():
            self._draw(so_far)
        else:
            self._print_line(so_far)

    def _draw(self, so_far: "RunsProgress") -> None:
        from rich.console import Console
        from rich.live import Live

        if self._live is None:
            self._live = Live(
                table_of(so_far), console=Console(stderr=True), auto_refresh=False, transient=False
            )
            self._live.start()
        elif not self._is_due(so_far, 1 / REDRAWS_PER_S):
            return
        self._live.update(table_of(so_far), refresh=True)

    def _print_line(self, so_far: "RunsProgress") -> None:
        if self._is_due(so_far, SECONDS_BETWEEN_LINES):
            click.echo(line_of(so_far), err=True)

    def _is_due(self, so_far: "RunsProgress", seconds: float) -> bool:
        now_s = time.monotonic()
        news = so_far.num_failed > self._failed or so_far.ended
        if not news and now_s - self._last_s < seconds:
            return False
        self._last_s, self._failed = now_s, so_far.num_failed
        return True


def line_of(so_far: "RunsProgress") -> str:
    """The state in one line: share, runs, time left, last news."""
    news = f"  {so_far.message}" if so_far.message else ""
    return f"runs: {100 * so_far.share:.0f} %, {counts_of(so_far)}{news}"


def counts_of(so_far: "RunsProgress") -> str:
    """Runs done, given up, and the time left."""
    failed = f", {so_far.num_failed} failed" if so_far.num_failed else ""
    left_s = so_far.left_s()
    left = "" if left_s is None else f", about {duration(left_s)} left"
    return f"{so_far.num_done} of {so_far.num_total}{failed}{left}"


def table_of(so_far: "RunsProgress") -> "Table":
    """Tasks down, algorithms across: runs done of all, and the last averaged return."""
    from rich import box
    from rich.table import Table

    tasks = list(dict.fromkeys(task for task, _ in so_far.groups))
    algorithms = list(dict.fromkeys(algorithm for _, algorithm in so_far.groups))
    table = Table(
        title=f"{100 * so_far.share:.0f} %, {counts_of(so_far)}",
        caption=so_far.message,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("runs done, averaged return", no_wrap=True)
    for algorithm in algorithms:
        table.add_column(algorithm, justify="right")
    for task in tasks:
        groups = [so_far.groups.get((task, algorithm)) for algorithm in algorithms]
        table.add_row(task, *(cell_of(group) for group in groups))
    return table


def cell_of(group: "Group | None") -> str:
    """One entry of the table."""
    if group is None:
        return ""
    failed = f" [red]{group.failed} failed[/red]" if group.failed else ""
    words = f"{group.done}/{group.total}{failed} {group.last_return}".rstrip()
    return f"[bold]{words}[/bold]" if group.under_way else words

"""How far many runs are, on stderr: one live table on a terminal, elsewhere a line now and then."""

import math
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

import click

from cli.render import SECONDS_BETWEEN_LINES

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

REDRAWS_PER_S = 4
State = TypeVar("State")


class LiveTable(Generic[State]):
    """Shows a state: one live table on a terminal, else a line at most every ten seconds.

    The first and the last state and every failure get a line at once: whatever changes what `news`
    says of a state.
    """

    def __init__(
        self,
        table_of: "Callable[[State], Table]",
        line_of: Callable[[State], str],
        news: Callable[[State], object],
        *,
        quiet: bool = False,
    ) -> None:
        self._table_of, self._line_of, self._news = table_of, line_of, news
        self._quiet = quiet
        self._live: Live | None = None
        self._last_s, self._last_news = -math.inf, object()

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

    def __call__(self, so_far: State) -> None:
        """Show how far it is, if it is time to."""
        if self._quiet:
            return
        news, now_s = self._news(so_far), time.monotonic()
        pause_s = 1 / REDRAWS_PER_S if sys.stderr.isatty() else SECONDS_BETWEEN_LINES
        if news == self._last_news and now_s - self._last_s < pause_s:
            return
        self._last_s, self._last_news = now_s, news
        if sys.stderr.isatty():
            self._draw(so_far)
        else:
            click.echo(self._line_of(so_far), err=True)

    def _draw(self, so_far: State) -> None:
        from rich.console import Console
        from rich.live import Live

        table = self._table_of(so_far)
        if self._live is None:
            self._live = Live(table, console=Console(stderr=True), auto_refresh=False)
            self._live.start()
        self._live.update(table, refresh=True)

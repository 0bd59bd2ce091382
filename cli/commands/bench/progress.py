"""How far a benchmark is, on stderr: a live table on a terminal, elsewhere a line now and then."""

from typing import TYPE_CHECKING

from cli.live_table import LiveTable
from cli.render import duration

if TYPE_CHECKING:
    from rich.table import Table

    from paper_envs.bench.runs.progress import Group, RunsProgress


class BenchProgress(LiveTable["RunsProgress"]):
    """Shows how far a benchmark is; failures and its end are news."""

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__(table_of, line_of, _news, quiet=quiet)


def _news(so_far: "RunsProgress") -> tuple[int, bool]:
    return so_far.num_failed, so_far.ended


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

"""How far a study is, on stderr: one live table on a terminal, elsewhere a line now and then."""

from typing import TYPE_CHECKING

from cli.live_table import LiveTable
from cli.render import duration

if TYPE_CHECKING:
    from rich.table import Table

    from ss_core.experiments.studies.runs import StudyProgress

MOST_SHOWN = 12  # runs in the table


class StudyTable(LiveTable["StudyProgress"]):
    """Shows how far a study is; failures and its end are news."""

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__(table_of, line_of, _news, quiet=quiet)


def _news(so_far: "StudyProgress") -> int:
    return len(so_far.failed) + (len(so_far.done) == len(so_far.names))


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

"""What a person or a program reads: tables and JSON on stdout, progress on stderr."""

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

RUN_SCHEMA = "ss.run/1"
SECONDS_BETWEEN_LINES = 10.0

Record = Mapping[str, Any]


class Progress:
    """Reports how far a run is: a bar on a terminal, else a line at most every ten seconds.

    Call it with the stage's name, what is done, what there is in all, and a note. Several stages
    may be under way; the first and the last report of each appear at once. Time left is judged by
    what was done since the first report: a resumed stage begins where it was.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: RichProgress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._stages: dict[str, _Stage] = {}

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            self._bar = _rich_progress()
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, stage: str, done: float, total: float, note: str = "") -> None:
        """Report that `done` of `total` of `stage` is behind us."""
        if self._quiet:
            return
        if self._bar is not None:
            self._draw(self._bar, stage, done, total, note)
        else:
            self._print_line(stage, done, total, note)

    def _draw(self, bar: "RichProgress", stage: str, done: float, total: float, note: str) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = bar.add_task(stage, total=total, completed=int(done), note=note)
        bar.update(self._tasks[stage], completed=done, total=total, note=note)

    def _print_line(self, stage: str, done: float, total: float, note: str) -> None:
        now_s = time.monotonic()
        known = self._stages.get(stage)
        if known is None:
            known = self._stages[stage] = _Stage(now_s, done)
        elif done < total and now_s - known.last_line_s < SECONDS_BETWEEN_LINES:
            return
        known.last_line_s = now_s
        left_s = known.left_s(done, total, now_s)
        click.echo(_line(stage, done, total, left_s, note), err=True)


@dataclass(slots=True)
class _Stage:
    """What is remembered of a stage under way."""

    started_s: float
    first_done: float
    last_line_s: float = -math.inf

    def left_s(self, done: float, total: float, now_s: float) -> float | None:
        """Seconds left at the pace so far; None where there is none to judge by."""
        if not self.first_done < done < total:
            return None
        return (now_s - self.started_s) * (total - done) / (done - self.first_done)


def _rich_progress() -> "RichProgress":
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    return RichProgress(
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
    )


def _line(stage: str, done: float, total: float, left_s: float | None, note: str) -> str:
    share = 100 * done / total if total > 0 else 100.0
    left = "" if left_s is None else f", about {duration(left_s)} left"
    return f"{stage}: {share:.0f} %{left}{'  ' + note if note else ''}"


def duration(seconds: float) -> str:
    """A time for people: 45 s, 3 min, 2.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def print_json(document: Mapping[str, Any]) -> None:
    """One JSON object on stdout; a number that is not finite becomes null."""
    click.echo(json.dumps(_finite(document), ensure_ascii=False, indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def print_result(result: Mapping[str, Any], *, as_json: bool) -> None:
    """The outcome of a run: its tables, then its notes, then where it lies.

    `result` is plain data: `tables` (title → records), `notes` (sentences), `run_dir`, and whatever
    else a program may want to read from the JSON.
    """
    if as_json:
        print_json({"schema": RUN_SCHEMA, **result})
        return
    for title, records in result.get("tables", {}).items():
        print_table(records, title=title)
    for note in result.get("notes", ()):
        click.echo(note)
    if result.get("run_dir"):
        click.echo(f"run directory: {result['run_dir']}")
    if result.get("report"):
        click.echo(f"report: {result['report']}")


def print_records(schema: str, name: str, records: Sequence[Record], *, as_json: bool) -> None:
    """Records as one table, or as one JSON object under `name`."""
    if as_json:
        print_json({"schema": schema, name: records})
    else:
        print_table(records)


def print_table(records: Sequence[Record], *, title: str = "") -> None:
    """Records as a table: drawn on a terminal, aligned text with two spaces between elsewhere."""
    if not records:
        return
    columns = list(dict.fromkeys(key for record in records for key in record))
    cells = [[_cell(record.get(column)) for column in columns] for record in records]
    is_number = [
        all(isinstance(record.get(column), int | float | None) for record in records)
        for column in columns
    ]
    if sys.stdout.isatty():
        _draw_table(title, columns, cells, is_number)
    else:
        click.echo("\n".join(plain_table(title, columns, cells, is_number)) + "\n")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return " ".join(str(value).split())


def plain_table(
    title: str, columns: list[str], cells: list[list[str]], is_number: list[bool]
) -> list[str]:
    """Lines of an aligned table; numbers to the right."""
    rows = [columns, *cells]
    widths = [max(len(row[position]) for row in rows) for position in range(len(columns))]
    lines = [title] if title else []
    for row in rows:
        padded = [
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(row, widths, is_number, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return lines


def _draw_table(
    title: str, columns: list[str], cells: list[list[str]], is_number: list[bool]
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD)
    for column, number in zip(columns, is_number, strict=True):
        heading = column.replace("_", " ")  # may break between words
        table.add_column(
            heading,
            justify="right" if number else "left",
            overflow="fold",
            no_wrap=column == columns[0],
        )
    for row in cells:
        table.add_row(*(Text(text) for text in row))
    Console().print(table)

"""What a person or a program reads: tables and JSON on stdout, progress on stderr."""

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
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

    Call it with the stage's name, what is done, what there is in all, and a note; a new stage's
    first report appears at once.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: RichProgress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._stage = ""
        self._stage_started_s = 0.0
        self._last_line_s = -math.inf

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
            self._tasks[stage] = bar.add_task(stage, total=total, note=note)
        bar.update(self._tasks[stage], completed=done, total=total, note=note)

    def _print_line(self, stage: str, done: float, total: float, note: str) -> None:
        now_s = time.monotonic()
        is_new = stage != self._stage
        if is_new:
            self._stage, self._stage_started_s = stage, now_s
        if not is_new and done < total and now_s - self._last_line_s < SECONDS_BETWEEN_LINES:
            return
        self._last_line_s = now_s
        click.echo(_line(stage, done, total, now_s - self._stage_started_s, note), err=True)


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


def _line(stage: str, done: float, total: float, elapsed_s: float, note: str) -> str:
    share = done / total if total > 0 else 1.0
    left = ""
    if 0 < share < 1 and elapsed_s > 0:
        left = f", about {elapsed_s * (1 - share) / share:.0f} s left"
    return f"{stage}: {100 * share:.0f} %{left}{'  ' + note if note else ''}"


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

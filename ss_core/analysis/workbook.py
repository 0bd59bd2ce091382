"""An XLSX workbook after the UK Analysis Function's guidance on statistics in spreadsheets.

A cover with contents, then notes, then one marked-up table a sheet: its title in A1, then what its
empty cells mean, then the table. No cells are merged, no panes frozen, no rows filtered. Text is
text whatever it begins with, numbers and times are such. Equal sheets give equal bytes.
"""

import importlib
import io
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from ss_core.analysis.about import About
from ss_core.errors import InputError
from ss_core.resources import install_command

if TYPE_CHECKING:
    import pyarrow as pa

SHEET_ROWS = 1_048_576  # of Excel
SHEET_NAME = 31  # letters
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)  # so that equal sheets are equal
COVER, CONTENTS, NOTES = "cover", "contents", "notes"
FONT = {"font_name": "Arial", "font_size": 12}
WIDEST, NARROWEST = 70, 9  # characters of a column
SAMPLED_ROWS = 500  # that decide how wide a column is
LINE_HEIGHT = 16  # points, of FONT
TIME_FORMAT = "yyyy-mm-dd hh:mm:ss"
PLAIN = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": False,
    "default_format_properties": FONT,
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table that becomes a sheet."""

    name: str
    title: str
    table: "pa.Table"
    units: Mapping[str, str] = field(default_factory=dict)  # by column; put behind its name
    empty: str = "Empty cells: the value does not apply to the row."


@dataclass(frozen=True, slots=True)
class _Formats:
    title: Any
    heading: Any  # over text, which stands left
    number_heading: Any  # over numbers, which stand right
    text: Any
    number: Any
    wrapped: Any
    time: Any
    link: Any


def workbook_bytes(about: About, sheets: Sequence[Sheet]) -> bytes:
    """The workbook.

    Raises:
        InputError: a table has more rows than a sheet, or XlsxWriter is missing.
    """
    for one in sheets:
        if one.table.num_rows > SHEET_ROWS - 10:
            raise InputError(
                f"table {one.name!r}: {one.table.num_rows:,} rows, a sheet holds "
                f"{SHEET_ROWS - 10:,}; export it with --format parquet or csv, or query part of it "
                "with `ss sql`"
            )
    sink = io.BytesIO()
    book = _xlsxwriter().Workbook(sink, PLAIN)
    created = datetime.fromisoformat(about.created) if about.created else LONG_AGO
    book.set_properties(
        {
            "title": about.title,
            "author": about.author or about.program or "Suggestion Sharing",
            "subject": f"run {about.run_id}, view {about.view}",
            "comments": f"Licence: {about.licence or 'not stated'}",
            "created": created.replace(tzinfo=None),
        }
    )
    formats = _formats(book)
    shown = [_notes_sheet(about), *sheets]
    _write_cover(book.add_worksheet(COVER), about, shown, formats)
    for one in shown:
        _write_sheet(book.add_worksheet(one.name[:SHEET_NAME]), one, formats)
    book.close()
    return sink.getvalue()


def _formats(book: Any) -> _Formats:
    heading = {**FONT, "bold": True, "bottom": 1, "text_wrap": True}
    plain = {**FONT, "valign": "top"}
    apart = {"align": "left", "indent": 1}  # from the numbers on its left
    return _Formats(
        title=book.add_format({**FONT, "bold": True, "font_size": 16}),
        heading=book.add_format({**heading, **apart}),
        number_heading=book.add_format({**heading, "align": "right"}),
        text=book.add_format({**plain, **apart}),
        number=book.add_format(plain),
        wrapped=book.add_format({**plain, **apart, "text_wrap": True}),
        time=book.add_format({**plain, "num_format": TIME_FORMAT}),
        link=book.add_format({**FONT, "font_color": "#0563C1", "underline": 1}),
    )


def _xlsxwriter() -> Any:
    try:
        return importlib.import_module("xlsxwriter")
    except ImportError as error:
        raise InputError(
            f"workbooks need XlsxWriter, of the extra `analysis`: {install_command('analysis')}"
        ) from error


def _notes_sheet(about: About) -> Sheet:
    import pyarrow as pa

    numbers = list(range(1, len(about.notes) + 1))
    return Sheet(NOTES, "Notes", pa.table({"number": numbers, "note": list(about.notes)}))


def cover_lines(about: About) -> list[str]:
    """What the cover says above its contents, a line each."""
    lines = [f"Run: {about.run_id}", f"View: {about.view}"]
    if about.created:
        lines.append(f"Date of the run: {about.created[:10]}")
    if about.program:
        lines.append(f"Made by: {about.program}")
    if about.author:
        lines.append(f"Author: {about.author}")
    lines.append(f"Licence of these tables: {about.licence or 'not stated (--licence names one)'}")
    for one in about.sources:
        licence = f"; licence: {one.licence or 'not known to the run'}"
        lines.append(f"Source: {one.title}{licence}{f'; {one.path}' if one.path else ''}")
    return lines


def _write_cover(sheet: Any, about: About, shown: Sequence[Sheet], formats: _Formats) -> None:
    lines = cover_lines(about)
    sheet.write_string(0, 0, about.title, formats.title)
    for row, line in enumerate(lines, start=1):
        sheet.write_string(row, 0, line)
    top = len(lines) + 1
    numeric = {"sheet": False, "content": False, "rows": True}
    _mark_up(sheet, CONTENTS, top, len(shown), numeric, formats)
    for row, one in enumerate(shown, start=top + 1):
        name = one.name[:SHEET_NAME]
        sheet.write_url(row, 0, f"internal:'{name}'!A1", formats.link, string=name)
        sheet.write_string(row, 1, one.title, formats.text)
        sheet.write_number(row, 2, one.table.num_rows, formats.number)
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, max(40, *(len(one.title) for one in shown)))
    sheet.set_column(2, 2, 12)
    _set_page(sheet, top)


def _write_sheet(sheet: Any, one: Sheet, formats: _Formats) -> None:
    values = {
        _heading(name, one.units.get(name, "")): _values(column)
        for name, column in zip(one.table.column_names, one.table.columns, strict=True)
    }
    said = ["This sheet contains one table."]
    if any(value is None or value == "" for column in values.values() for value in column):
        said.append(one.empty)
    sheet.write_string(0, 0, one.title, formats.title)
    for row, line in enumerate(said, start=1):
        sheet.write_string(row, 0, line)
    top = len(said) + 2
    sheet.write_url(top - 1, 0, f"internal:'{COVER}'!A1", formats.link, string="To the contents")
    numeric = {heading: _is_numeric(column) for heading, column in values.items()}
    _mark_up(sheet, one.name, top, one.table.num_rows, numeric, formats)
    lines: dict[int, int] = {}
    for at, (heading, column) in enumerate(values.items()):
        width = _width(heading, column)
        sheet.set_column(at, at, width)
        _write_column(sheet, at, top + 1, column, formats, wrapped=width >= WIDEST)
        if width >= WIDEST:
            for row, value in enumerate(column, start=top + 1):
                lines[row] = max(lines.get(row, 1), _lines_of(str(value)))
    for row, count in lines.items():
        if count > 1:
            sheet.set_row(row, LINE_HEIGHT * count)
    _set_page(sheet, top)


def _values(column: "pa.ChunkedArray") -> list[Any]:
    """Of cells; numbers of single precision have the digits that they have in CSV, not more."""
    import pyarrow as pa

    values = column.to_pylist()
    if column.type != pa.float32():
        return values
    return [None if value is None else float(str(np.float32(value))) for value in values]


def _heading(name: str, unit: str) -> str:
    return f"{name} [{unit}]" if unit not in ("", "1") else name


def _is_numeric(values: Sequence[Any]) -> bool:
    """Whether cells stand right."""
    first = next((value for value in values if value is not None), "")
    return isinstance(first, int | float | datetime) and not isinstance(first, bool)


def _mark_up(
    sheet: Any, name: str, top: int, rows: int, numeric: Mapping[str, bool], formats: _Formats
) -> None:
    """Make an Excel table of the cells, with a tagged header row."""
    heads = {True: formats.number_heading, False: formats.heading}
    if not rows or not numeric:
        for at, (heading, right) in enumerate(numeric.items()):
            sheet.write_string(top, at, heading, heads[right])
        return
    columns = [{"header": name, "header_format": heads[right]} for name, right in numeric.items()]
    look = {"style": "Table Style Light 1", "banded_rows": False, "autofilter": False}
    last = len(columns) - 1
    sheet.add_table(top, 0, top + rows, last, {"name": name, "columns": columns, **look})


def _set_page(sheet: Any, top: int) -> None:
    """How it is printed: as wide as a page, its header on each."""
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(top)
    sheet.set_footer("&L&A&RPage &P of &N")


def _width(heading: str, values: Sequence[Any]) -> int:
    """Characters that a column needs for its heading and its values."""
    longest = max((len(_shown(value)) for value in values[:SAMPLED_ROWS]), default=0)
    return min(WIDEST, max(NARROWEST, len(heading) + 1, longest) + 2)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.9g}"
    return str(value)


def _lines_of(text: str) -> int:
    """Lines that a text takes in the widest column."""
    return sum(max(1, len(textwrap.wrap(line, WIDEST))) for line in (text.splitlines() or [""]))


def _write_column(
    sheet: Any, at: int, top: int, values: Sequence[Any], formats: _Formats, *, wrapped: bool
) -> None:
    text = formats.wrapped if wrapped else formats.text
    for row, value in enumerate(values, start=top):
        if value is None or value == "":
            continue
        if isinstance(value, bool):
            sheet.write_boolean(row, at, value, formats.text)
        elif isinstance(value, int | float):
            sheet.write_number(row, at, value, formats.number)
        elif isinstance(value, datetime):
            sheet.write_datetime(row, at, value, formats.time)
        else:
            sheet.write_string(row, at, str(value), text)

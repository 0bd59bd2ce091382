"""Files that analysts open: Parquet, CSV and XLSX of plain Arrow tables, safe in spreadsheets.

Text that a spreadsheet would take for a formula is kept from being one: by a leading apostrophe in
CSV, by the cell's type in XLSX. Equal tables give equal bytes.
"""

import importlib
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ss_core.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
SHEET_ROWS = 1_048_576  # of Excel, its header line included
SHEET_NAME = 31  # letters
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)  # so that equal sheets are equal


def parquet_bytes(table: "pa.Table") -> bytes:
    """One complete Parquet file, statistics and footer made anew from these values."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table.combine_chunks(), sink, compression="zstd", store_schema=True)
    return sink.getvalue().to_pybytes()


def csv_bytes(table: "pa.Table") -> bytes:
    """CSV with a header line; no text cell begins like a formula."""
    import pyarrow as pa
    import pyarrow.csv

    safe = pa.table(
        {name: _without_formulas(table.column(name)) for name in table.column_names}
    ) if table.num_columns else table  # fmt: skip
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(safe, sink)
    return sink.getvalue().to_pybytes()


def _without_formulas(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    begins = [pc.starts_with(column, pattern=mark) for mark in FORMULA_STARTS]  # pyright: ignore
    risky = begins[0]
    for one in begins[1:]:
        risky = pc.or_(risky, one)  # pyright: ignore
    marked = pc.binary_join_element_wise(pa.scalar("'"), column, "")  # pyright: ignore
    return pc.if_else(risky, marked, column)  # pyright: ignore


def xlsx_bytes(sheets: Mapping[str, "pa.Table"], units: Mapping[str, Mapping[str, str]]) -> bytes:
    """A workbook: one sheet per table, numbers as numbers, a frozen header line with units.

    `units[sheet][column]` is added to a heading in brackets.

    Raises:
        InputError: a table has more rows than a sheet, or XlsxWriter is missing.
    """
    for name, table in sheets.items():
        if table.num_rows >= SHEET_ROWS:
            raise InputError(
                f"table {name!r}: {table.num_rows:,} rows, a sheet holds {SHEET_ROWS - 1:,}; "
                "export it with --format parquet or csv, or query part of it with `ss sql`"
            )
    sink = io.BytesIO()
    plain = {
        "in_memory": True, "constant_memory": False, "strings_to_formulas": False,
        "strings_to_urls": False, "strings_to_numbers": False, "nan_inf_to_errors": False,
    }  # fmt: skip
    workbook = _xlsxwriter().Workbook(sink, plain)
    workbook.set_properties({"created": LONG_AGO})
    bold = workbook.add_format({"bold": True})
    for name, table in sheets.items():
        _write_sheet(workbook.add_worksheet(name[:SHEET_NAME]), table, units.get(name, {}), bold)
    workbook.close()
    return sink.getvalue()


def _xlsxwriter() -> Any:
    try:
        return importlib.import_module("xlsxwriter")
    except ImportError as error:
        raise InputError(
            "workbooks need XlsxWriter: pip install 'suggestion-sharing[analysis]'"
        ) from error


def _write_sheet(sheet: Any, table: "pa.Table", units: Mapping[str, str], bold: Any) -> None:
    headings = [
        f"{name} [{units[name]}]" if units.get(name, "") not in ("", "1") else name
        for name in table.column_names
    ]
    for at, heading in enumerate(headings):
        sheet.write_string(0, at, heading, bold)
        sheet.set_column(at, at, min(40, max(10, len(heading) + 2)))
    sheet.freeze_panes(1, 0)
    if table.num_columns and table.num_rows:
        sheet.autofilter(0, 0, table.num_rows, table.num_columns - 1)
    for at, column in enumerate(table.columns):
        _write_column(sheet, at, column.to_pylist())


def _write_column(sheet: Any, at: int, values: Sequence[Any]) -> None:
    for row, value in enumerate(values, start=1):
        if value is None:
            continue
        if isinstance(value, bool):
            sheet.write_boolean(row, at, value)
        elif isinstance(value, int | float):
            sheet.write_number(row, at, value)
        else:
            sheet.write_string(row, at, str(value))

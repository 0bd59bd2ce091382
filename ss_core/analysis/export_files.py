"""Files that analysts open: Parquet and CSV of plain Arrow tables, safe in spreadsheets.

Text in CSV that a spreadsheet would take for a formula is kept from being one by an apostrophe
before it; so is text that begins with an apostrophe itself, so that taking one away gives it back.
Equal tables give equal bytes.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

GUARD = "'"
GUARDED_STARTS = ("=", "+", "-", "@", "\t", "\r", GUARD)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # by which Excel knows that a file is in UTF-8
ISO_TIME = "%Y-%m-%dT%H:%M:%S"


def parquet_bytes(table: "pa.Table") -> bytes:
    """One complete Parquet file, statistics and footer made anew from these values."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table.combine_chunks(), sink, compression="zstd", store_schema=True)
    return sink.getvalue().to_pybytes()


def csv_bytes(table: "pa.Table", *, marked: bool = True) -> bytes:
    """CSV with a header line; no text cell begins like a formula.

    `marked`: with a byte order mark, which files want and pipes do not.
    """
    import pyarrow as pa
    import pyarrow.csv

    safe = table
    for at, name in enumerate(table.column_names):
        safe = safe.set_column(at, name, _as_safe_text(table.column(at)))
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(safe, sink)
    return (BYTE_ORDER_MARK if marked else b"") + sink.getvalue().to_pybytes()


def guarded_columns(table: "pa.Table") -> dict[str, int]:
    """Columns of text that `csv_bytes` guards, and how many of their cells."""
    import pyarrow.compute as pc

    call: Any = pc  # PyArrow's stubs do not know its functions
    found = {}
    for name in table.column_names:
        column = table.column(name)
        if _is_text(column):
            found[name] = call.sum(_is_risky(column)).as_py() or 0
    return {name: count for name, count in found.items() if count}


def _is_text(column: "pa.ChunkedArray") -> bool:
    import pyarrow as pa

    return pa.types.is_string(column.type) or pa.types.is_large_string(column.type)


def _is_risky(column: "pa.ChunkedArray") -> Any:
    import pyarrow.compute as pc

    call: Any = pc
    risky = call.starts_with(column, pattern=GUARDED_STARTS[0])
    for mark in GUARDED_STARTS[1:]:
        risky = call.or_(risky, call.starts_with(column, pattern=mark))
    return risky


def _as_safe_text(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """Texts guarded, times as ISO 8601 has them, all else as it is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    call: Any = pc
    if pa.types.is_timestamp(column.type) and column.type.tz is None:
        whole = column.cast(pa.timestamp("s"), safe=False)
        same = call.all(call.equal(whole.cast(column.type), column)).as_py()
        return call.strftime(whole if same is not False else column, format=ISO_TIME)
    if not _is_text(column):
        return column
    guarded = call.binary_join_element_wise(pa.scalar(GUARD, column.type), column, "")
    return call.if_else(_is_risky(column), guarded, column)

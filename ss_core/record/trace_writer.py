"""The Parquet writer of `ss.trace/1`: rows are buffered, then published as complete part files.

Layout below the folder of a run or a task: `traces/<table>/part-<number>.parquet`, and
`metrics/part-<number>.parquet` for the table `metric`. A killed writer leaves no unreadable file,
and equal rows give equal bytes. Part numbers count commits that had rows, table by table.
"""

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from ss_core.errors import CorruptError
from ss_core.record.atomic import atomic_write, sha256_of
from ss_core.record.calendar import calendar_times
from ss_core.record.layout import PART_NAME, PARTS, table_folder, table_parts
from ss_core.record.parquet import reading
from ss_core.record.schema import (
    LEVELS,
    TABLES,
    Column,
    Table,
    TraceLevel,
    arrow_schema,
    arrow_type,
    table_named,
)

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP_SIZE = 122_880  # DuckDB's own, a multiple of its vector of 2,048
ZSTD_LEVEL = 3
FIELD_TYPES = {  # of Table Schema; all others are numbers
    "string": "string",
    "bool": "boolean",
    "int32": "integer",
    "int64": "integer",
    "timestamp": "datetime",
}
KINDS = {
    "string": "U",
    "bool": "b",
    "int32": "iu",
    "int64": "iu",
    "float32": "fiu",
    "float64": "fiu",
    "timestamp": "M",
}
BYTES_PER_VALUE = {  # compressed, measured on noisy days; only measured quantities cost much
    "string": 0.1,
    "bool": 0.15,
    "int32": 0.1,
    "int64": 0.5,
    "float32": 2.6,
    "float64": 2.6,
    "timestamp": 0.5,
}
PART_OVERHEAD_BYTES = 10_000  # footer with the schema and its descriptions

Values = np.ndarray | Sequence[Any] | np.generic | str | int | float | bool | None


class TraceWriter:
    """Writes the tables of one task; `constants` fill columns that `write` is not given.

    Calendar times follow from `date`, the calendar's day 0; without one they are null.
    `parts` says how many part files of each table are committed. Publish with `commit`, then write
    a checkpoint that records `parts`; after a crash call `discard_after` with the parts of the
    checkpoint.
    """

    def __init__(
        self,
        folder: Path,
        *,
        level: TraceLevel = "agent",
        constants: Mapping[str, Values] | None = None,
        date: datetime.date | None = None,
    ) -> None:
        """Start at part 0 of every table."""
        self.folder = folder
        self.level = level
        self._constants = dict(constants or {})
        self._date = date
        self._buffers: dict[str, list[pa.Table]] = {}
        self._parts: dict[str, int] = {}

    @property
    def parts(self) -> dict[str, int]:
        """Part files committed, by table."""
        return dict(sorted(self._parts.items()))

    def writes(self, table: str) -> bool:
        """Whether the trace level includes this table; ask before computing what it would hold."""
        return LEVELS.index(table_named(table).level) <= LEVELS.index(self.level)

    def write(self, table: str, columns: Mapping[str, Values]) -> None:
        """Buffer rows given by column; a scalar fills a whole column, a missing column is null.

        Raises:
            CorruptError: unknown table or column, wrong type, unequal lengths, nothing in a key.
        """
        definition = table_named(table)
        if self.writes(table):
            rows = _arrow_table(definition, columns, self._constants)
            if self._date is not None:
                rows = with_calendar_times(definition, rows, self._date)
            if rows.num_rows:
                self._buffers.setdefault(table, []).append(rows)

    def commit(self) -> None:
        """Publish what is buffered, one part file per table.

        Raises:
            ResourceError: the disk refused; nothing unreadable is left, and a retry is possible.
        """
        import pyarrow as pa

        for name in sorted(self._buffers):
            part = self._parts.get(name, 0)
            data = _parquet_bytes(TABLES[name], pa.concat_tables(self._buffers[name]))
            atomic_write(table_folder(self.folder, name) / PART_NAME.format(part), data)
            del self._buffers[name]
            self._parts[name] = part + 1

    def discard_after(self, parts: Mapping[str, int]) -> None:
        """Go back to `parts`: later part files are deleted and buffered rows forgotten.

        Raises:
            CorruptError: a part file that should be there is missing.
        """
        self._buffers.clear()
        self._parts = {table_named(name).name: count for name, count in parts.items() if count}
        for name in TABLES:
            folder, count = table_folder(self.folder, name), self._parts.get(name, 0)
            wanted = {PART_NAME.format(part) for part in range(count)}
            present = {path.name for path in folder.glob(PARTS)}
            if wanted - present:
                missing = folder / min(wanted - present)
                raise CorruptError(
                    f"{missing}: missing, though a checkpoint counts on it; start a new run"
                )
            for leftover in sorted(present - wanted):
                (folder / leftover).unlink()
            if not wanted and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def with_calendar_times(table: Table, rows: "pa.Table", date: datetime.date) -> "pa.Table":
    """The rows with the calendar times that their clocks stand for, where they have none yet.

    Raises:
        CorruptError: a clock runs over.
    """
    import pyarrow as pa

    for column in table.columns:
        at = rows.schema.get_field_index(column.name)
        if not column.clock or at < 0 or rows.column(at).null_count < rows.num_rows:
            continue
        try:
            times = calendar_times(date, rows.column("day"), rows.column(column.clock))
        except pa.ArrowInvalid as error:
            place = f"table {table.name!r}, column {column.clock!r}"
            raise CorruptError(f"{place}: no time of a calendar ({error})") from error
        rows = rows.set_column(at, rows.schema.field(at), times)
    return rows


def predicted_bytes(rows: Mapping[str, int], *, level: TraceLevel = "full", parts: int = 1) -> int:
    """About how many bytes so many rows of each table take on disk at this trace level."""
    total = 0.0
    for name, count in rows.items():
        table = table_named(name)
        if LEVELS.index(table.level) <= LEVELS.index(level) and count:
            row_bytes = sum(BYTES_PER_VALUE[column.type] for column in table.columns)
            total += row_bytes * count + PART_OVERHEAD_BYTES * parts
    return round(total)


def trace_resources(run: Path) -> list[dict[str, Any]]:
    """The tables below a run directory as Data Package resources, for the manifest.

    Raises:
        CorruptError: a part is no Parquet file.
    """
    resources: list[dict[str, Any]] = []
    for table in TABLES.values():
        paths = table_parts(run, table.name)
        if paths:
            resources.append(
                {
                    "name": table.name,
                    "path": [path.relative_to(run).as_posix() for path in paths],
                    "format": "parquet",
                    "rows": sum(_rows_of(path) for path in paths),
                    "bytes": sum(path.stat().st_size for path in paths),
                    "hash": f"sha256:{sha256_of(*paths)}",
                    "schema": {
                        "primaryKey": list(table.key),
                        "fields": [_resource_field(column) for column in table.columns],
                    },
                }
            )
    return resources


def _rows_of(path: Path) -> int:
    import pyarrow.parquet as pq

    with reading(path, "start a new run"):
        return int(pq.read_metadata(path).num_rows)


def _resource_field(column: Column) -> dict[str, str]:
    return {
        "name": column.name,
        "type": FIELD_TYPES.get(column.type, "number"),
        "unit": column.unit,
        "description": column.description,
        "visibility": column.visibility,
    }


def _arrow_table(
    table: Table, columns: Mapping[str, Values], constants: Mapping[str, Values]
) -> "pa.Table":
    import pyarrow as pa

    names = [column.name for column in table.columns]
    unknown = sorted(set(columns) - set(names))
    if unknown:
        known = ", ".join(names)
        raise CorruptError(f"table {table.name!r}: unknown column {unknown[0]!r}; known: {known}")
    given = {**{name: constants[name] for name in names if name in constants}, **columns}
    lengths = {name: len(value) for name, value in given.items() if _is_column(value)}
    if len(set(lengths.values())) > 1:
        raise CorruptError(f"table {table.name!r}: columns differ in length: {lengths}")
    count = next(iter(lengths.values()), 1)
    arrays = [
        _arrow_array(table, column, given.get(column.name), count) for column in table.columns
    ]
    return pa.Table.from_arrays(arrays, schema=arrow_schema(table))


def _is_column(value: Values) -> TypeGuard[np.ndarray | Sequence[Any]]:
    return isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _arrow_array(table: Table, column: Column, value: Values, count: int) -> "pa.Array":
    import pyarrow as pa

    place = f"table {table.name!r}, column {column.name!r}"
    if value is None:
        array = pa.nulls(count, arrow_type(column))
    else:
        try:
            array = pa.array(
                _checked(place, column, value), type=arrow_type(column), from_pandas=True
            )
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise CorruptError(f"{place}: not {column.type}: {error}") from error
        array = array if _is_column(value) else pa.repeat(array[0], count)
    if array.null_count and column.name in table.key:
        raise CorruptError(f"{place}: is part of the key, so it must be given, without null or NaN")
    return array


def _checked(place: str, column: Column, value: Any) -> np.ndarray:
    """Values along one axis, of a kind that the column holds without change of meaning."""
    as_objects = column.type == "string" and isinstance(value, (list, tuple))
    values = np.atleast_1d(np.asarray(value, dtype=object if as_objects else None))
    if values.ndim != 1:
        raise CorruptError(f"{place}: shape {values.shape}, expected one dimension")
    kinds = {values.dtype.kind} if values.size else set()
    if kinds == {"O"}:  # a list with None in it, or text
        kinds = {np.dtype(entry_type).kind for entry_type in set(map(type, values)) - {type(None)}}
    if not kinds <= set(KINDS[column.type]):
        names = sorted({type(entry).__name__ for entry in values if entry is not None})
        raise CorruptError(f"{place}: expected {column.type}, got {' and '.join(names)}")
    if column.type.startswith("float") and values.dtype.kind in "iu":
        return values.astype(np.float64)
    return values


def _parquet_bytes(table: Table, rows: "pa.Table") -> bytes:
    """One complete Parquet file; it holds no clock and no name, so equal rows give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    split = [column.name for column in table.columns if column.type == "float32"]
    pq.write_table(
        rows.combine_chunks(),
        sink,
        row_group_size=ROW_GROUP_SIZE,
        compression="zstd",
        compression_level=ZSTD_LEVEL,
        use_dictionary=[  # pyright: ignore[reportArgumentType]  # PyArrow takes names, too
            column.name for column in table.columns if column.type != "float32"
        ],
        column_encoding=dict.fromkeys(split, "BYTE_STREAM_SPLIT"),
    )
    return sink.getvalue().to_pybytes()

"""Writes an `Export` to disk: a folder of Parquet or CSV files, or one workbook."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ss_core.analysis.about import About
from ss_core.analysis.export import Export, Exported, dictionary_rows
from ss_core.analysis.export_files import csv_bytes, guarded_columns, parquet_bytes
from ss_core.analysis.package import WrittenTable, package_of
from ss_core.analysis.workbook import Sheet, workbook_bytes
from ss_core.errors import ConfigError
from ss_core.record.atomic import atomic_write, json_bytes
from ss_core.record.schema import Column

FORMATS = ("parquet", "csv", "xlsx")
DICTIONARY = "data_dictionary"
PACKAGE = "datapackage.json"
WORKBOOK_ROWS = 100_000  # of a table that is put into a workbook unasked
DICTIONARY_COLUMNS = (
    Column("table", "string", "", "table it is in"),
    Column("one_row_is", "string", "", "what one row of that table is"),
    Column("column", "string", "", "name of the column"),
    Column("type", "string", "", "type of its values"),
    Column("unit", "string", "", "unit of its values; 1 for pure numbers"),
    Column("description", "string", "", "what it means"),
    Column("visibility", "string", "", "who may know it"),
    Column("guard", "string", "", "how its texts here differ from those of the run"),
)


def write_export(
    export: Export, about: About, form: str, out: Path, *, force: bool = False
) -> list[Path]:
    """Write the files; returns them, the data dictionary and the package's description last.

    Raises:
        ConfigError: something is there already.
        InputError: a table does not fit into a sheet.
        ResourceError: the disk refused.
    """
    if form == "xlsx":
        return [_write_workbook(export, about, out, force)]
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out}: a file; name a folder for --format {form}")
    if not force and out.is_dir() and any(out.iterdir()):
        raise ConfigError(f"--out {out}: not empty; --force writes into it, or name another folder")
    tables = [_written(one, form) for one in export.tables]
    guards = {(one.table.name, name): words for one in tables for name, words in one.guards.items()}
    tables.append(_written(_dictionary(export, guards), "csv"))
    for one in tables:
        atomic_write(out / one.path, one.content)
    atomic_write(out / PACKAGE, json_bytes(package_of(about, tables)))
    return [*(out / one.path for one in tables), out / PACKAGE]


def small_enough(export: Export) -> tuple[Export, list[str]]:
    """The export without tables too long for people, and the names of these."""
    small = [one for one in export.tables if one.values.num_rows <= WORKBOOK_ROWS]
    long = [one.name for one in export.tables if one.values.num_rows > WORKBOOK_ROWS]
    left_out = {**export.left_out, **dict.fromkeys(long, "long")}
    return replace(export, tables=small, left_out=left_out), long


def _written(one: Exported, form: str) -> WrittenTable:
    path = f"{one.name}.{form}"
    if form == "parquet":
        return WrittenTable(one, path, parquet_bytes(one.values), {})
    guards = {
        name: f"an apostrophe before {count} of {one.values.num_rows} texts keeps spreadsheets "
        "from taking them for formulas; take it away to compare with Parquet"
        for name, count in guarded_columns(one.values).items()
    }
    return WrittenTable(one, path, csv_bytes(one.values), guards)


def _dictionary(export: Export, guards: Mapping[tuple[str, str], str]) -> Exported:
    """The data dictionary as a table; what guards say of columns stands in it."""
    import pyarrow as pa

    rows = [
        {**row, "guard": guards.get((row["table"], row["column"]), "")}
        for row in dictionary_rows(export)
    ]
    columns = tuple(one for one in DICTIONARY_COLUMNS if one.name != "guard" or guards)
    schema = pa.schema([(column.name, pa.string()) for column in columns])
    kept = [{column.name: row[column.name] for column in columns} for row in rows]
    values = pa.Table.from_pylist(kept, schema=schema)
    return Exported(DICTIONARY, "a column of a table", columns, values, ("table", "column"))


def _write_workbook(export: Export, about: About, out: Path, force: bool) -> Path:
    if out.exists() and not force:
        raise ConfigError(f"--out {out}: is there already; --force replaces it")
    dictionary = _dictionary(export, {})
    none = "Empty cells: the column has no unit, as names, times and yes-or-no have none."
    sheets = [
        Sheet(DICTIONARY, "Data dictionary: one row is a column", dictionary.values, empty=none),
        *(_sheet(one) for one in export.tables),
    ]
    atomic_write(out, workbook_bytes(about, sheets))
    return out


def _sheet(one: Exported) -> Sheet:
    units = {column.name: column.unit for column in one.columns}
    return Sheet(one.name, f"{one.name}: one row is {one.grain}", one.values, units)

"""Writes an `Export` to disk: a folder of Parquet or CSV files, or one workbook."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ss_core.analysis.export import Export, dictionary_rows
from ss_core.analysis.export_files import csv_bytes, parquet_bytes, xlsx_bytes
from ss_core.errors import ConfigError
from ss_core.record.atomic import atomic_write, json_bytes

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("parquet", "csv", "xlsx")
DICTIONARY = "data_dictionary"
PACKAGE_SCHEMA = "https://datapackage.org/profiles/2.0/datapackage.json"
FIELD_TYPES = {"string": "string", "bool": "boolean", "int32": "integer", "int64": "integer"}
WORKBOOK_ROWS = 100_000  # of a table that is put into a workbook unasked


def write_export(export: Export, form: str, out: Path, *, force: bool = False) -> list[Path]:
    """Write the files; returns them, the data dictionary last.

    Raises:
        ConfigError: something is there already.
        InputError: a table does not fit into a sheet.
        ResourceError: the disk refused.
    """
    if form == "xlsx":
        return [_write_workbook(export, out, force)]
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out}: a file; name a folder for --format {form}")
    if not force and out.is_dir() and any(out.iterdir()):
        raise ConfigError(f"--out {out}: not empty; --force writes into it, or name another folder")
    to_bytes = parquet_bytes if form == "parquet" else csv_bytes
    written = []
    for one in export.tables:
        written.append(out / f"{one.name}.{form}")
        atomic_write(written[-1], to_bytes(one.values))
    if form == "parquet":
        written.append(out / "datapackage.json")
        atomic_write(written[-1], json_bytes(_package(export)))
    else:
        written.append(out / f"{DICTIONARY}.csv")
        atomic_write(written[-1], csv_bytes(_dictionary_table(export)))
    return written


def small_enough(export: Export) -> tuple[Export, list[str]]:
    """The export without tables too long for people, and the names of these."""
    small = [one for one in export.tables if one.values.num_rows <= WORKBOOK_ROWS]
    long = [one.name for one in export.tables if one.values.num_rows > WORKBOOK_ROWS]
    return Export(export.view, small, export.left_out), long


def _write_workbook(export: Export, out: Path, force: bool) -> Path:
    if out.exists() and not force:
        raise ConfigError(f"--out {out}: is there already; --force replaces it")
    sheets: dict[str, pa.Table] = {DICTIONARY: _dictionary_table(export)}
    sheets |= {one.name: one.values for one in export.tables}
    units: Mapping[str, Mapping[str, str]] = {
        one.name: {column.name: column.unit for column in one.columns} for one in export.tables
    }
    atomic_write(out, xlsx_bytes(sheets, units))
    return out


def _dictionary_table(export: Export) -> "pa.Table":
    import pyarrow as pa

    names = ("table", "one_row_is", "column", "type", "unit", "description", "visibility")
    schema = pa.schema([(name, pa.string()) for name in names])
    return pa.Table.from_pylist(dictionary_rows(export), schema=schema)


def _package(export: Export) -> dict[str, Any]:
    """A Data Package description that names the exported columns only."""
    return {
        "$schema": PACKAGE_SCHEMA,
        "name": "suggestion-sharing-export",
        "description": f"view: {export.view}",
        "resources": [
            {
                "name": one.name,
                "path": f"{one.name}.parquet",
                "format": "parquet",
                "description": f"one row is {one.grain}",
                "rows": one.values.num_rows,
                "schema": {
                    "fields": [
                        {
                            "name": column.name,
                            "type": FIELD_TYPES.get(column.type, "number"),
                            "unit": column.unit,
                            "description": column.description,
                            "visibility": column.visibility,
                        }
                        for column in one.columns
                    ]
                },
            }
            for one in export.tables
        ],
    }

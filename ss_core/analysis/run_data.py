"""A run as its reader finds it: manifest, tables, result, surroundings. Nothing is written here."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ss_core.errors import InputError
from ss_core.record.layout import table_parts
from ss_core.record.manifest import read_manifest
from ss_core.record.parquet import read_checked, reading
from ss_core.record.schema import TABLES, arrow_schema, table_named

if TYPE_CHECKING:
    import pyarrow as pa

Frame = Any  # a pandas.DataFrame, whose stubs know less of it than it can do

READABLE_BYTES = 64 * 2**20  # of a JSON file beside the manifest


class RunData:
    """Reads the run in `folder`, finished or not.

    Raises:
        InputError: there is no run.
        CorruptError: its manifest does not hold together.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest: dict[str, Any] = read_manifest(folder)

    @property
    def block(self) -> dict[str, Any]:
        """What the manifest says of the run: task, size, seed, status, config."""
        return self.manifest["ss"]

    @property
    def task(self) -> str:
        """`grid`, `traffic`, `signals`, or the name of a task."""
        return str(self.block["task"])

    @property
    def config(self) -> dict[str, Any]:
        """The resolved settings."""
        return self.block["config"]

    @cached_property
    def algorithm(self) -> str:
        """The learned row that was asked for."""
        rows = self.table("run", ["algorithm"])
        return str(rows["algorithm"].iloc[0] if len(rows) else self.config["learner"]["algorithm"])

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Where it ran; empty where that is not known."""
        return self._json("environment.json")

    @cached_property
    def timing(self) -> dict[str, Any]:
        """Seconds spent; empty where that is not known."""
        return self._json("timing.json")

    @cached_property
    def result(self) -> dict[str, Any]:
        """What the command line showed at the end; empty for a run that has not got there."""
        return self._json("result.json")

    @cached_property
    def settings_text(self) -> str:
        """`config.toml` as it stands."""
        path = self.folder / "config.toml"
        try:
            text = path.read_text(encoding="utf-8")
            tomllib.loads(text)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            return ""
        return text

    def facts(self, name: str) -> dict[str, Any]:
        """A file of JSON in the run; empty where there is none."""
        return self._json(name)

    def has(self, table: str) -> bool:
        """Whether the run has rows of this table."""
        return bool(self._parts(table))

    def table(
        self,
        name: str,
        columns: Sequence[str] | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> Frame:
        """Rows of a table, of all its parts in order, that have these values; empty if none.

        Raises:
            CorruptError: a part is not readable, or is of another schema.
        """
        return self.arrow(name, columns, where).to_pandas()

    def arrow(
        self,
        name: str,
        columns: Sequence[str] | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> "pa.Table":
        """`table` before it becomes a data frame, for tables of millions of rows."""
        import pyarrow as pa

        definition = table_named(name)
        wanted = list(columns) if columns is not None else [one.name for one in definition.columns]
        filters = [
            (key, "in" if isinstance(value, list | tuple) else "=", value)
            for key, value in (where or {}).items()
        ]
        schema = arrow_schema(definition)
        empty = pa.schema([schema.field(column) for column in wanted]).empty_table()
        found: list[pa.Table] = []
        for path in self._parts(name):
            remedy = f"`ss verify {self.folder}` lists what changed"
            part = read_checked(path, remedy, columns=wanted, filters=filters or None)
            with reading(path, remedy):  # it may have other columns
                part = _with_later_columns(part, empty.schema).cast(empty.schema)
            found.append(part)
        return pa.concat_tables(found) if found else empty

    def _parts(self, table: str) -> list[Path]:
        return table_parts(self.folder, table) if table in TABLES else []

    def _json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            if path.stat().st_size > READABLE_BYTES:
                return {}
            found = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def _with_later_columns(part: "pa.Table", schema: "pa.Schema") -> "pa.Table":
    """The part with nulls in columns that were added to the schema after it was written."""
    import pyarrow as pa

    for at, field in enumerate(schema):
        if field.nullable and field.name not in part.column_names:
            part = part.add_column(at, field, pa.nulls(part.num_rows, field.type))
    return part


def open_run_data(folder: Path) -> RunData:
    """The run in `folder`, with a remedy where there is none.

    Raises:
        InputError, CorruptError: there is no run, or its manifest does not hold together.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; `ss runs ls` lists the runs there are")
    return RunData(folder)

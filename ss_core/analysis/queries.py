"""SQL over the tables of a run, read-only: DuckDB in memory, one view per table, no files.

A query sees the run's tables and nothing else: no file, no network, no extension, no setting.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ss_core.errors import CorruptError, InputError
from ss_core.record.layout import table_parts
from ss_core.record.manifest import read_manifest
from ss_core.record.parquet import check_claims, reading
from ss_core.record.schema import TABLES
from ss_core.resources import install_command

if TYPE_CHECKING:
    import pyarrow as pa

READING = ("SELECT", "EXPLAIN")  # statements that change nothing
BENCHMARK_TABLES = "tables"  # folder of an `ss bench paper`


@dataclass(frozen=True, slots=True)
class View:
    """A table of the run that may be queried."""

    name: str
    rows: int
    holds: str  # what one row is


def part_files(run: Path) -> dict[str, list[Path]]:
    """Parquet files by table: a run's parts, those of its sub-tasks included, or a benchmark's.

    Raises:
        InputError: the folder holds neither.
        CorruptError: its manifest does not hold together.
    """
    benchmark = sorted((run / BENCHMARK_TABLES).glob("*.parquet"))
    if benchmark and not (run / "manifest.json").exists():
        return {path.stem: [path] for path in benchmark}
    read_manifest(run)
    return {name: parts for name in TABLES if (parts := table_parts(run, name))}


def list_views(run: Path) -> list[View]:
    """What there is to query."""
    import pyarrow.parquet as pq

    views = []
    for name, paths in part_files(run).items():
        rows = 0
        for path in paths:
            with reading(path, f"`ss verify {run}` lists what changed"):
                rows += pq.read_metadata(path).num_rows
        views.append(View(name, rows, TABLES[name].grain if name in TABLES else ""))
    return views


def query(run: Path, sql: str) -> "pa.Table":
    """The answer to one reading statement over the views of a run.

    Raises:
        InputError: DuckDB is missing, the statement is wrong, or would do more than read.
        CorruptError: a part of a table is damaged.
    """
    duckdb, remedy = _duckdb(), f"`ss verify {run}` lists what changed"
    views = part_files(run)
    connection = duckdb.connect(":memory:")
    try:
        _open_views(connection, views, run)
        _check(duckdb, connection, sql)
        answer = connection.sql(sql).to_arrow_table()
    except duckdb.Error as error:
        raise InputError(_explained(str(error), list(views))) from error
    except UnicodeDecodeError as error:  # DuckDB lets those through
        raise CorruptError(f"{run}: a table holds text in no UTF-8 ({error}); {remedy}") from error
    finally:
        connection.close()
    with reading(run, remedy):
        answer.validate(full=True)  # text in no UTF-8
    return answer


def _duckdb() -> Any:
    try:
        return importlib.import_module("duckdb")
    except ImportError as error:
        raise InputError(
            f"SQL needs DuckDB, of the extra `analysis`: {install_command('analysis')}"
        ) from error


def _open_views(connection: Any, views: Mapping[str, Sequence[Path]], run: Path) -> None:
    import pyarrow.dataset
    import pyarrow.parquet

    remedy = f"`ss verify {run}` lists what changed"
    for name, paths in views.items():
        for path in paths:
            with reading(path, remedy):
                check_claims(pyarrow.parquet.read_metadata(path))
        files = [str(path) for path in paths]
        with reading(paths[0], remedy):
            connection.register(name, pyarrow.dataset.dataset(files, format="parquet"))
    connection.execute("SET enable_external_access=false")
    connection.execute("SET lock_configuration=true")


def _check(duckdb: Any, connection: Any, sql: str) -> None:
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise InputError(f"{len(statements)} statements in {sql[:80]!r}: give one")
    kind = statements[0].type
    if kind not in {getattr(duckdb.StatementType, name) for name in READING}:
        raise InputError(f"{sql[:80]!r}: only reading is possible here, this is {kind.name}")


def _explained(message: str, views: Sequence[str]) -> str:
    """DuckDB's words on one line, with the table that may have been meant."""
    line = " ".join(message.split())
    if "Table with name" not in line:
        return line
    wrong = line.split("Table with name", 1)[1].split()[0]
    near = get_close_matches(wrong, views, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"no table {wrong!r} in this run{meant} There are: {', '.join(views)}"

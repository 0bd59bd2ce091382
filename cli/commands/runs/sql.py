"""`ss sql`: query the tables of a run."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.app import debug_option, example
from cli.options import RUN_FOLDER
from ss_core.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_SCHEMA = "ss.rows/1"
FORMATS = ("table", "csv", "json", "parquet")


@click.command("sql", epilog=example('ss sql runs/<run> "select algorithm, kpi, value from kpi"'))
@click.argument("run", type=RUN_FOLDER)
@click.argument("statement", required=False)
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
@debug_option
def sql(run: Path, statement: str | None, form: str, out: Path | None) -> None:
    """Run the SQL STATEMENT over the tables of RUN; without one, list the tables.

    Every trace table is a view of its name, as in "select kpi, value from kpi". Nothing can be
    written, and no other file be read.
    """
    from cli.render import print_records
    from ss_core.analysis.queries import list_views, query

    if statement is None:
        views = [
            {"table": one.name, "rows": one.rows, "one_row_is": one.holds}
            for one in list_views(run)
        ]
        print_records("ss.views/1", "views", views, as_json=form == "json")
        return
    if form == "parquet" and out is None:
        raise ConfigError("--format parquet: name the file with --out FILE")
    if form == "table" and out is not None:
        raise ConfigError(f"--out {out}: choose --format csv, json or parquet")
    _give(query(run, statement), form, out)


def _give(answer: "pa.Table", form: str, out: Path | None) -> None:
    from cli.render import print_json, print_table
    from ss_core.analysis.export_files import csv_bytes, parquet_bytes
    from ss_core.record.atomic import atomic_write, json_bytes

    if form == "table":
        print_table(_records(answer))
        if not answer.num_rows:
            click.echo("no rows")
        return
    if form == "json" and out is None:
        print_json({"schema": ROWS_SCHEMA, "rows": _records(answer)})
        return
    if form == "json":
        data = json_bytes({"schema": ROWS_SCHEMA, "rows": _records(answer)})
    else:
        data = csv_bytes(answer, marked=out is not None) if form == "csv" else parquet_bytes(answer)
    if out is None:
        sys.stdout.buffer.write(data)
    else:
        atomic_write(out, data)
        click.echo(f"{answer.num_rows} rows: {out}")


def _records(answer: "pa.Table") -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = answer.to_pylist()
    plain = (int, float, str, bool, type(None))
    return [
        {key: value if isinstance(value, plain) else str(value) for key, value in record.items()}
        for record in records
    ]

"""What a run may show to whom: tables cut down to a view, columns of other classes gone for good.

    public      columns that anyone may know
    exchanged   and what went from agent to agent
    agent:ID    public columns; messages that ID sent or got; its own rows with its private columns
    full        everything, the operator's and the simulator's columns too

Rows can tell as much as columns. A table is left out of a view when a column of its key is not in
the view (a bus's name is the operator's), or when nothing but its key and clock would be left: that
a household decided at six says that it came home at six. Of `metric` the rows about single agents
are private, those about the whole run are public.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ss_core.analysis.queries import part_files
from ss_core.errors import ConfigError, InputError
from ss_core.record.calendar import date_problem
from ss_core.record.manifest import read_manifest
from ss_core.record.parquet import read_checked
from ss_core.record.schema import TABLES, TRACE_SCHEMA, Column, Table, arrow_schema, table_named
from ss_core.record.trace_writer import with_calendar_times

if TYPE_CHECKING:
    import pyarrow as pa

VIEWS = ("public", "exchanged", "full")
AGENT_VIEW = "agent:"
CLASSES = {"public": ("public",), "exchanged": ("public", "exchanged")}
OWNER_COLUMNS = ("agent_id", "vehicle_id")  # of a table about single agents
PAIR = ("src_agent_id", "dst_agent_id")
CLOCK_COLUMNS = (
    *("phase", "update", "day", "step", "sim_time_s", "time"),
    *("run_id", "algorithm", "seed"),
)
EVERYBODY_ROWS = {"metric": "agent_id"}  # where this is null, the row is about the whole run


@dataclass(frozen=True, slots=True)
class Exported:
    """A table of a view: values, and the columns as the schema describes them."""

    name: str
    grain: str
    columns: tuple[Column, ...]
    values: "pa.Table"
    key: tuple[str, ...] = ()  # whole; some of it may not be in the view


@dataclass(frozen=True, slots=True)
class Export:
    """All tables of a view, and why others are not among them."""

    view: str
    tables: Sequence[Exported]
    left_out: Mapping[str, str] = field(default_factory=dict)  # table → reason
    lacks_calendar: bool = False  # clocks of the run count, but from no known date


def checked_view(view: str) -> str:
    """The view, if there is such a one.

    Raises:
        InputError: there is not.
    """
    if view in VIEWS or (view.startswith(AGENT_VIEW) and view != AGENT_VIEW):
        return view
    raise InputError(f"--view {view!r}: public, exchanged, full, or agent:ID")


def export_view(
    run: Path, view: str, names: Sequence[str] = (), *, date: str | None = None
) -> Export:
    """The tables of a run (all, or those named) cut down to a view.

    `date` is the calendar's day 0 of a run that has none.

    Raises:
        ConfigError: no such date, or the run has one of its own.
        InputError: no run, no such view, table or agent.
        CorruptError: the manifest or a table cannot be read.
    """
    checked_view(view)
    files = part_files(run)
    foreign = sorted(set(files) - set(TABLES))
    if foreign:
        raise InputError(f"{run}: a benchmark; its tables hold no private columns, copy tables/")
    wanted = [table_named(name) for name in names] or list(TABLES.values())
    absent = [table.name for table in wanted if table.name not in files]
    if names and absent:
        raise InputError(f"table {absent[0]!r}: this run has none; it has {', '.join(files)}")
    day_0 = _day_0(run, date)
    tables, left_out = [], {}
    for table in wanted:
        if table.name in files:
            values = _read(table, files[table.name])
            if day_0 is not None:
                values = with_calendar_times(table, values, day_0)
            found = cut_to_view(table, values, view)
            if isinstance(found, str):
                left_out[table.name] = found
            else:
                tables.append(found)
    if view.startswith(AGENT_VIEW):
        _check_agent(tables, view.removeprefix(AGENT_VIEW), run)
    return Export(view, tables, left_out, any(_counts_from_no_date(one) for one in tables))


def _day_0(run: Path, date: str | None) -> datetime.date | None:
    if date is None:
        return None
    own = read_manifest(run)["ss"]["config"].get("date")
    if own is not None and own != date:
        raise ConfigError(f"--date {date}: the run has the date {own}; leave --date out")
    problem = date_problem(date)
    if problem:
        raise ConfigError(f"--{problem}")
    return datetime.date.fromisoformat(date)


def _counts_from_no_date(one: Exported) -> bool:
    names = {column.name for column in one.columns}
    times = [column for column in TABLES[one.name].columns if column.clock in names]
    return any(column.name not in names for column in times)


def cut_to_view(table: Table, values: "pa.Table", view: str) -> Exported | str:
    """A table in a view, or why it is not in it."""
    if view.startswith(AGENT_VIEW):
        values, columns = _of_agent(table, values, view.removeprefix(AGENT_VIEW))
    elif table.name in EVERYBODY_ROWS and view != "full":
        values, columns = _of_everybody(table, values)
    else:
        columns = _visible(table, view)
    reason = _unsaid(table, columns, view)
    if reason:
        return reason
    if not values.num_rows:
        return "no row of it is in the view"
    columns = tuple(one for one in columns if not (one.clock and _is_empty(values, one.name)))
    return Exported(table.name, table.grain, columns, _described(table, columns, values), table.key)


def _is_empty(values: "pa.Table", name: str) -> bool:
    return values.column(name).null_count == values.num_rows


def _visible(table: Table, view: str) -> tuple[Column, ...]:
    if view == "full":
        return table.columns
    return tuple(one for one in table.columns if one.visibility in CLASSES[view])


def _of_everybody(table: Table, values: "pa.Table") -> "tuple[pa.Table, tuple[Column, ...]]":
    """Rows about the whole run; the column that names an agent goes."""
    import pyarrow.compute as pc

    owner = EVERYBODY_ROWS[table.name]
    kept = values.filter(pc.is_null(values.column(owner)))  # pyright: ignore[reportAttributeAccessIssue]
    return kept, tuple(column for column in table.columns if column.name != owner)


def _of_agent(
    table: Table, values: "pa.Table", agent: str
) -> "tuple[pa.Table, tuple[Column, ...]]":
    import pyarrow.compute as pc

    names = [column.name for column in table.columns]
    owner = next((name for name in OWNER_COLUMNS if name in names), None)
    if PAIR[0] in names:
        sent, got = (pc.equal(values.column(end), agent) for end in PAIR)  # pyright: ignore
        kept = values.filter(pc.or_(sent, got))  # pyright: ignore
        return kept, tuple(c for c in table.columns if c.visibility in ("public", "exchanged"))
    if owner is not None:
        own = pc.fill_null(pc.equal(values.column(owner), agent), table.name in EVERYBODY_ROWS)  # pyright: ignore
        kept = values.filter(own)
        known = ("public", "exchanged", "private")
        return kept, tuple(c for c in table.columns if c.visibility in known)
    return values, tuple(c for c in table.columns if c.visibility == "public")


def _unsaid(table: Table, columns: Sequence[Column], view: str) -> str:
    """Why nothing of a table is to be seen; "" if something is."""
    names = {column.name for column in columns}
    dropped = {EVERYBODY_ROWS.get(table.name)} if view != "full" else set()
    hidden = [key for key in table.key if key not in names and key not in dropped]
    if hidden:
        return f"{hidden[0]} is not in the view"
    if not names - set(table.key) - set(CLOCK_COLUMNS):
        return "only its key would be left"
    return ""


def _described(table: Table, columns: Sequence[Column], values: "pa.Table") -> "pa.Table":
    """The columns with the schema's metadata of these alone."""
    import json

    import pyarrow as pa

    schema = arrow_schema(table)
    fields = [schema.field(column.name) for column in columns]
    units = json.dumps({column.name: column.unit for column in columns if column.unit})
    facts = {"ss.schema": TRACE_SCHEMA, "ss.table": table.name, "ss.units": units}
    chosen = values.select([column.name for column in columns])
    return pa.Table.from_arrays(chosen.columns, schema=pa.schema(fields, metadata=facts))


def _read(table: Table, paths: Sequence[Path]) -> "pa.Table":
    import pyarrow as pa

    schema, remedy = arrow_schema(table), "`ss verify RUN` lists what changed"
    return pa.concat_tables([read_checked(path, remedy, schema=schema) for path in paths])


def _check_agent(tables: Sequence[Exported], agent: str, run: Path) -> None:
    about = [one for one in tables if one.name not in ("run", "kpi", "metric")]
    own = [one for one in about if {*OWNER_COLUMNS, *PAIR} & {c.name for c in one.columns}]
    if not own:
        raise InputError(
            f"--view agent:{agent}: no row of {run} is about {agent!r}; "
            "`ss export RUN --table agent --view full` lists the agents"
        )


def dictionary_rows(export: Export) -> list[dict[str, Any]]:
    """The data dictionary of an export: one record per column that is in it, and no other."""
    return [
        {
            "table": one.name,
            "one_row_is": one.grain,
            "column": column.name,
            "type": column.type,
            "unit": column.unit,
            "description": column.description,
            "visibility": column.visibility,
        }
        for one in export.tables
        for column in one.columns
    ]

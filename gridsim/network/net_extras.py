"""What a net holds beside a feeder: what is read as something else, and what nobody reads.

Unbalanced loads are summed, loads below zero are generators, storages stand still.

Works on the tables of a net (pandas frames); of pandapower only its list of columns is asked for.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Float

from gridsim.network.connections import HOME, SUN
from gridsim.network.net_checks import MAX_INDEX, Net
from gridsim.network.net_json import IGNORED_TABLES, Table

PHASES = ("a", "b", "c")
NOT_A_KIND = ("", "wye", "delta")  # of generators: how phases are connected
MOST_NAMED = 6  # columns or tables in a note


def known_columns(name: str, empty: Any) -> set[str]:
    """Columns that this pandapower has for a table, also those that an empty net lacks."""
    try:
        schema = getattr(import_module(f"pandapower.network_schema.{name}"), f"{name}_schema")
    except (ImportError, AttributeError):  # tables without a schema
        return {*empty.columns}
    return {*empty.columns, *schema.columns}


def unread_notes(tables: Mapping[str, Table], ignored: Mapping[str, int], net: Net) -> list[str]:
    """What of a file stays out of the feeder, counted; `net` is an empty net of this pandapower."""
    others = {
        name: len(table.index)
        for name, table in tables.items()
        if name not in net and len(table.index) and not name.endswith("_geodata")
    }
    counts = {**ignored, **others}
    notes = []
    if counts:
        listed = [f"{name} ({rows} {_word(rows, 'row')})" for name, rows in counts.items()]
        notes.append(f"tables of the net that are not used: {_shortened(listed)}")
    columns = [
        f"{name}.{column}"
        for name, table in tables.items()
        if name in net and len(table.index) and name not in IGNORED_TABLES
        for column in table.user_columns
        if not _is_read(name, column, table)
    ]
    if columns:
        word = _word(len(columns), "column")
        notes.append(
            f"{len(columns)} {word} of the net that pandapower does not know: {_shortened(columns)}"
        )
    return notes


def _is_read(name: str, column: str, table: Table) -> bool:
    """Whether it is a column of SimBench's that says what an element follows."""
    if column != "profile" or name not in ("load", "sgen"):
        return False
    at = table.columns.index(column)
    return name == "sgen" or any(str(row[at]).startswith(HOME) for row in table.rows)


def _word(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"


def _shortened(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"


def unbalanced_problems(net: Net) -> list[str]:
    """What keeps unbalanced loads from being summed."""
    problems = []
    for element, row in _unbalanced(net).iterrows():
        place = f"asymmetric_load {element}"
        values = {column: row[column] for column in (*_columns("p"), *_columns("q"), "scaling")}
        try:
            numbers = {column: float(value) for column, value in values.items()}
        except (TypeError, ValueError):
            problems.append(f"{place}: holds texts instead of numbers; correct them")
            continue
        for column, number in numbers.items():
            if not np.isfinite(number):
                problems.append(
                    f"{place}: {column}={number:g} is not a finite number; correct the value"
                )
        if row["bus"] not in net.bus.index:
            problems.append(f"{place}: bus={row['bus']} is not in the bus table; correct it")
    return problems


def sum_unbalanced(net: Net) -> list[str]:
    """Put a load of the sum of its phases in the place of every unbalanced one; notes on it.

    So does `pandapower.runpp`, which solves one phase for three. The net has passed
    `unbalanced_problems`; it is changed in place.
    """
    import pandas

    loads = _unbalanced(net)
    if not len(loads):
        return []
    first = 1 + max([-1, *(index for index in net.load.index if index <= MAX_INDEX)])
    summed = pandas.DataFrame(
        {
            "name": loads["name"].to_numpy() if "name" in loads else None,
            "bus": loads["bus"].to_numpy(),
            "p_mw": loads[_columns("p")].astype(float).sum(axis=1).to_numpy(),
            "q_mvar": loads[_columns("q")].astype(float).sum(axis=1).to_numpy(),
            "scaling": loads["scaling"].astype(float).to_numpy(),
            "in_service": True,
        },
        index=range(first, first + len(loads)),
    )
    for column in net.load.columns:
        if column not in summed:
            summed[column] = 0.0 if column.startswith("const_") else None
    kept = net.load
    net["load"] = pandas.concat([kept, summed[kept.columns]]) if len(kept) else summed[kept.columns]
    net["load"] = net.load.astype({"bus": np.int64, "in_service": bool})
    net["asymmetric_load"]["in_service"] = False
    many = (
        f"{len(loads)} unbalanced loads were replaced by balanced ones of the sums of their phases"
    )
    one = "1 unbalanced load was replaced by a balanced one of the sum of its phases"
    return [
        f"{one if len(loads) == 1 else many}, as pandapower.runpp does; currents of single "
        "phases are not known"
    ]


def _unbalanced(net: Net) -> Any:
    """Rows of unbalanced loads in service."""
    loads = net["asymmetric_load"]
    return loads[loads["in_service"].astype(bool)]


def _columns(quantity: str) -> list[str]:
    unit = {"p": "mw", "q": "mvar"}[quantity]
    return [f"{quantity}_{phase}_{unit}" for phase in PHASES]


def negative_loads_generate(net: Net) -> list[str]:
    """Put a generator in the place of every load below zero; notes on it.

    The net is changed in place: such loads are switched off.
    """
    import pandas

    try:
        power = net.load["p_mw"].astype(float)
    except (TypeError, ValueError):  # texts: `net_problems` names them
        return []
    rows = net.load[net.load["in_service"].astype(bool) & (power < 0) & np.isfinite(power)]
    if not len(rows):
        return []
    first = 1 + max([-1, *(index for index in net.sgen.index if index <= MAX_INDEX)])
    made = pandas.DataFrame(
        {
            "name": rows["name"].to_numpy(),
            "bus": rows["bus"].to_numpy(),
            "p_mw": -rows["p_mw"].to_numpy(float),
            "q_mvar": -rows["q_mvar"].to_numpy(float),
            "scaling": rows["scaling"].to_numpy(float),
            "in_service": True,
        },
        index=range(first, first + len(rows)),
    )
    for column in net.sgen.columns:
        if column not in made:
            made[column] = None
    kept = net.sgen
    net["sgen"] = pandas.concat([kept, made[kept.columns]]) if len(kept) else made[kept.columns]
    net["sgen"] = net.sgen.astype({"bus": np.int64, "in_service": bool})
    net.load.loc[rows.index, "in_service"] = False
    return [f"{len(rows)} {_word(len(rows), 'load')} below zero read as generation at the same bus"]


def idle_storages(net: Net) -> None:
    """Let storages neither charge nor discharge; the net is changed in place."""
    storages = net.get("storage")
    if storages is not None and len(storages):
        storages[["p_mw", "q_mvar"]] = 0.0


def storage_kwh_of(storages: Any) -> Float[np.ndarray, " storage"]:
    """What each storage holds between its lowest and highest level; 0 where the net has no size."""
    most = storages["max_e_mwh"].to_numpy(float)
    least = storages["min_e_mwh"].to_numpy(float) if "min_e_mwh" in storages.columns else 0.0
    return np.maximum(1000.0 * np.nan_to_num(most - np.nan_to_num(least)), 0.0)


def load_profiles_of(loads: Any) -> tuple[str, ...]:
    """SimBench's profile of each load; empty where none is called after its households."""
    names = _texts(loads, "profile")
    return names if any(name.startswith(HOME) for name in names) else ()


def sgen_profiles_of(sgens: Any) -> tuple[str, ...]:
    """What each generator follows: its profile, else its type, else the sun."""
    named = zip(_texts(sgens, "profile"), _texts(sgens, "type"), strict=True)
    return tuple(profile or (kind if kind not in NOT_A_KIND else SUN) for profile, kind in named)


def _texts(frame: Any, column: str) -> tuple[str, ...]:
    if column not in frame.columns:
        return ("",) * len(frame)
    return tuple(value if isinstance(value, str) else "" for value in frame[column])

"""What a net holds beside a feeder: unbalanced loads, which are summed, and what nobody reads.

Works on the tables of a net (pandas frames); of pandapower only its list of columns is asked for.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from gridsim.network.net_checks import MAX_INDEX, Net
from gridsim.network.net_json import IGNORED_TABLES, Table

PHASES = ("a", "b", "c")
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
    ]
    if columns:
        word = _word(len(columns), "column")
        notes.append(
            f"{len(columns)} {word} of the net that pandapower does not know: {_shortened(columns)}"
        )
    return notes


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
        p_mw = sum(numbers[column] for column in _columns("p")) * numbers["scaling"]
        if p_mw < 0:
            problems.append(
                f"{place}: its phases sum to p_mw={p_mw:g}, less than 0; what houses generate is "
                "not modelled yet; set it to in_service=False"
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

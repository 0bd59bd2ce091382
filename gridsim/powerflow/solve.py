"""Batched AC power flow of a feeder: voltages, currents, loadings and losses of many scenarios.

Power counts as consumption (`p_mw > 0` consumes), of loads and, after them, of generators. What
does not converge is a row of NaN, never an exception. The two solvers live in `zbus` (any feeder)
and `radial` (large trees).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np
from jaxtyping import Bool, Complex, Float, Int

from gridsim.network.feeder import Feeder
from gridsim.powerflow.branch_flows import FlowModel, Flows, branch_flows, flow_model
from gridsim.powerflow.loads import (
    CONSTANT_POWER,
    LoadBuses,
    ZipShare,
    demand_by_bus,
    load_buses,
    served_power,
)
from gridsim.powerflow.zbus import Voltages, zbus_model
from ss_core.errors import InputError

# "auto" sweeps trees beyond these sizes; below, loading numba (1 s) costs more than it saves
RADIAL_ABOVE_LOADS = 100
RADIAL_FROM_ROWS = 20_000
BLOCK_ELEMENTS = 8192  # buses times scenarios solved together, so that a block stays in the cache

Method = Literal["auto", "zbus", "radial"]


@dataclass(frozen=True, slots=True)
class PowerFlow:
    """Outcome of a batch; every quantity is NaN in the rows where `converged` is False."""

    converged: Bool[np.ndarray, " batch"]
    iterations: Int[np.ndarray, " batch"]
    v_pu: Complex[np.ndarray, "batch bus"]
    vm_pu: Float[np.ndarray, "batch bus"]
    i_ka: Float[np.ndarray, "batch line"]  # the larger of both ends
    line_loading_percent: Float[np.ndarray, "batch line"]
    p_from_mw: Float[np.ndarray, "batch line"]
    trafo_loading_percent: Float[np.ndarray, "batch trafo"]  # by current, the larger of both ends
    slack_p_mw: Float[np.ndarray, " batch"]  # drawn from the grid above
    slack_q_mvar: Float[np.ndarray, " batch"]
    load_p_mw: Float[np.ndarray, " batch"]  # all loads less generators, at the voltages reached
    loss_mw: Float[np.ndarray, " batch"]  # in lines, transformers and shunts

    @property
    def va_degree(self) -> Float[np.ndarray, "batch bus"]:
        """Voltage angles, computed when asked for."""
        return np.degrees(np.angle(self.v_pu))


class Solver(Protocol):
    """A feeder prepared for one method."""

    def solve(
        self,
        demand: Complex[np.ndarray, "loadbus lane"],
        zip_share: ZipShare,
        *,
        tolerance_pu: float,
        max_iterations: int,
    ) -> Voltages:
        """Voltages of a block of scenarios; `demand` in per unit of the feeder's base."""
        ...


def solve_power_flow(
    feeder: Feeder,
    p_mw: Float[np.ndarray, "batch terminal"],
    q_mvar: Float[np.ndarray, "batch terminal"],
    *,
    zip_share: ZipShare = CONSTANT_POWER,
    method: Method = "auto",
    tolerance_pu: float = 1e-10,
    max_iterations: int = 100,
) -> PowerFlow:
    """Solve every row of loads; `tolerance_pu` bounds the estimated error of the voltages.

    Raises:
        InputError: `method="radial"` for a feeder with loops, or a meshed feeder that is too
            large, or loads that depend on voltage beside generators, which do not.
    """
    if len(feeder.sgen_index) and not zip_share.is_constant_power:
        raise InputError(
            f"feeder {feeder.name!r} has generators: loads that depend on voltage are not solved "
            "beside them; leave zip_share as it is"
        )
    if method == "auto" and len(p_mw) < RADIAL_FROM_ROWS:
        method = "auto" if feeder.load_count > RADIAL_ABOVE_LOADS else "zbus"
    model = _model(feeder, method)
    result = _unsolved(feeder, len(p_mw))
    lanes = max(32, BLOCK_ELEMENTS // feeder.bus_count // 16 * 16)
    for first in range(0, len(p_mw), lanes):
        rows = slice(first, first + lanes)
        demand = demand_by_bus(model.loads, p_mw[rows], q_mvar[rows]) / feeder.sn_mva
        solved = model.solver.solve(
            demand[:-1], zip_share, tolerance_pu=tolerance_pu, max_iterations=max_iterations
        )
        with np.errstate(all="ignore"):  # rows that did not converge hold anything
            _write(result, rows, model, solved, demand, zip_share)
    return result


@dataclass(frozen=True, slots=True)
class _Model:
    """Everything a feeder needs for its solves, computed once."""

    loads: LoadBuses
    solver: Solver
    flows: FlowModel


@lru_cache(maxsize=16)
def _model(feeder: Feeder, method: Method) -> _Model:
    loads = load_buses(feeder)
    return _Model(loads, _solver(feeder, loads.bus, method), flow_model(feeder))


def _solver(feeder: Feeder, load_bus: Int[np.ndarray, " loadbus"], method: Method) -> Solver:
    if method == "zbus":
        return zbus_model(feeder, load_bus)
    from gridsim.powerflow.radial import radial_model  # imports numba

    tree = radial_model(feeder, load_bus)
    if tree is not None:
        return tree
    if method == "radial":
        raise InputError(f"feeder {feeder.name!r} has loops: use method='auto' or 'zbus'")
    return zbus_model(feeder, load_bus)


def _unsolved(feeder: Feeder, batch: int) -> PowerFlow:
    def blank(*size: int) -> Float[np.ndarray, "..."]:
        return np.empty((batch, *size))

    lines, trafos = len(feeder.line_branch), len(feeder.trafo_branch)
    return PowerFlow(
        converged=np.zeros(batch, bool),
        iterations=np.zeros(batch, np.int64),
        v_pu=np.empty((batch, feeder.bus_count), complex),
        vm_pu=blank(feeder.bus_count),
        i_ka=blank(lines),
        line_loading_percent=blank(lines),
        p_from_mw=blank(lines),
        trafo_loading_percent=blank(trafos),
        slack_p_mw=blank(),
        slack_q_mvar=blank(),
        load_p_mw=blank(),
        loss_mw=blank(),
    )


def _write(
    result: PowerFlow,
    rows: slice,
    model: _Model,
    solved: Voltages,
    demand: Complex[np.ndarray, "slots lane"],
    zip_share: ZipShare,
) -> None:
    """Fill the rows of a block of scenarios; `result` is still private to the solve."""
    v = solved.v
    if not solved.converged.all():
        v[:, ~solved.converged] = np.nan
    vm_pu = np.abs(v)
    flows = branch_flows(model.flows, v)
    bus = np.append(model.loads.bus, model.flows.slack)
    served = served_power(demand, vm_pu[bus], zip_share) * model.flows.sn_mva
    slack_mva = flows.slack_mva + served[-1]

    result.converged[rows] = solved.converged
    result.iterations[rows] = solved.iterations
    result.v_pu[rows] = v.T
    result.vm_pu[rows] = vm_pu.T
    _write_flows(result, rows, flows)
    result.slack_p_mw[rows] = slack_mva.real
    result.slack_q_mvar[rows] = slack_mva.imag
    result.load_p_mw[rows] = np.where(solved.converged, served.real.sum(axis=0), np.nan)


def _write_flows(result: PowerFlow, rows: slice, flows: Flows) -> None:
    result.i_ka[rows] = flows.i_ka.T
    result.line_loading_percent[rows] = flows.line_loading_percent.T
    result.p_from_mw[rows] = flows.p_from_mw.T
    result.trafo_loading_percent[rows] = flows.trafo_loading_percent.T
    result.loss_mw[rows] = flows.loss_mw

"""How voltages, loadings and losses of solved steps answer a little more load at each load's bus.

From the Z-bus equations V = V⁰ - Z conj(S / V), differentiated at the solution: with dS of a load

    dV = M conj(dV) - Z diag(1 / conj V) conj(dS),    M = Z diag(conj S / conj V²)

which is linear in the real and imaginary parts of dV. Dense: for feeders of some hundred loads.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Complex, Float

from gridsim.network.feeder import Feeder
from gridsim.powerflow.branch_flows import FlowModel, flow_model
from gridsim.powerflow.loads import LoadBuses, demand_by_bus, load_buses
from gridsim.powerflow.solve import PowerFlow
from gridsim.powerflow.zbus import ZbusModel, bus_admittance, zbus_model

TINY = 1e-12  # currents below have no direction


@dataclass(frozen=True, slots=True)
class Sensitivities:
    """Derivatives per MW at each load; NaN in steps without a solution."""

    vm_pu: Float[np.ndarray, "batch bus load"]
    line_loading_percent: Float[np.ndarray, "batch line load"]
    trafo_loading_percent: Float[np.ndarray, "batch trafo load"]
    loss_mw: Float[np.ndarray, "batch load"]


def sensitivities(
    feeder: Feeder,
    p_mw: Float[np.ndarray, "batch terminal"],
    q_mvar: Float[np.ndarray, "batch terminal"],
    flow: PowerFlow,
    reactive_share: float = 0.0,
) -> Sensitivities:
    """At the solution `flow` of these loads; each MW brings `reactive_share` Mvar.

    Raises:
        InputError: the feeder is too large for dense matrices.
    """
    with np.errstate(all="ignore"):  # steps that did not converge
        return _at_solution(_model(feeder), feeder, p_mw, q_mvar, flow, reactive_share)


def _at_solution(
    model: "_Model",
    feeder: Feeder,
    p_mw: Float[np.ndarray, "batch terminal"],
    q_mvar: Float[np.ndarray, "batch terminal"],
    flow: PowerFlow,
    reactive_share: float,
) -> Sensitivities:
    loads, buses = model.loads, len(model.loads.bus)
    demand = demand_by_bus(loads, p_mw, q_mvar)[:-1].T / feeder.sn_mva
    step = (1.0 - 1j * reactive_share) / feeder.sn_mva  # conj(dS) of a MW
    v_load = flow.v_pu[:, loads.bus]
    inverse = 1.0 / np.conj(v_load)
    answer = np.conj(demand) * inverse**2
    dv_load = _solved(model.zbus.z_load, answer, -model.zbus.z_load * (step * inverse)[:, None])
    di = step * inverse[:, :, None] * np.eye(buses) - answer[:, :, None] * np.conj(dv_load)
    dv = -(model.zbus.z_bus @ di)
    line, trafo = _loadings(model.flows, flow.v_pu, dv)
    v_slack = flow.v_pu[:, feeder.slack_bus, None]
    supply = np.real(v_slack * np.conj(model.slack_row @ dv))
    vm = np.real(np.conj(flow.v_pu)[:, :, None] * dv) / flow.vm_pu[:, :, None]
    slot, at_slack = loads.slot_of_load[: feeder.load_count], loads.bus.size
    is_slack = slot == at_slack
    column = np.where(is_slack, 0, slot)

    def by_load(values: np.ndarray) -> np.ndarray:
        return np.where(is_slack, 0.0, values[..., column])

    return Sensitivities(
        vm_pu=by_load(vm),
        line_loading_percent=by_load(line),
        trafo_loading_percent=by_load(trafo),
        loss_mw=by_load(supply * feeder.sn_mva - 1.0),
    )


@dataclass(frozen=True, slots=True)
class _Model:
    loads: LoadBuses
    zbus: ZbusModel
    flows: FlowModel
    slack_row: Complex[np.ndarray, " bus"]  # of the admittance matrix


@lru_cache(maxsize=4)
def _model(feeder: Feeder) -> _Model:
    loads = load_buses(feeder)
    row = bus_admittance(feeder)[feeder.slack_bus]
    return _Model(loads, zbus_model(feeder, loads.bus), flow_model(feeder), row)


def _solved(
    z_load: Complex[np.ndarray, "loadbus loadbus"],
    answer: Complex[np.ndarray, "batch loadbus"],
    right: Complex[np.ndarray, "batch loadbus loadbus"],
) -> Complex[np.ndarray, "batch loadbus loadbus"]:
    """dV of dV - M conj(dV) = right, by real and imaginary parts."""
    m, count = z_load * answer[:, None], z_load.shape[0]
    one = np.eye(count)
    rows = [
        np.concatenate([one - np.real(m), -np.imag(m)], axis=2),
        np.concatenate([-np.imag(m), one + np.real(m)], axis=2),
    ]
    found = np.linalg.solve(
        np.concatenate(rows, axis=1), np.concatenate([np.real(right), np.imag(right)], axis=1)
    )
    return found[:, :count] + 1j * found[:, count:]


def _loadings(
    model: FlowModel,
    v: Complex[np.ndarray, "batch bus"],
    dv: Complex[np.ndarray, "batch bus load"],
) -> tuple[Float[np.ndarray, "batch line load"], Float[np.ndarray, "batch trafo load"]]:
    """Of lines and transformers, at the end that carries more."""
    ends = []
    for y_from, y_to, scale in (
        (model.yff, model.yft, model.from_scale),
        (model.ytf, model.ytt, model.to_scale),
    ):
        current = (y_from * v.T[model.branch_from] + y_to * v.T[model.branch_to]).T
        change = y_from * dv[:, model.branch_from] + y_to * dv[:, model.branch_to]
        size = np.abs(current)
        slope = np.real(np.conj(current)[..., None] * change) / np.maximum(size, TINY)[..., None]
        ends.append((size * scale[:, 0], slope * scale))
    (size_from, slope_from), (size_to, slope_to) = ends
    slope = np.where((size_from >= size_to)[..., None], slope_from, slope_to)
    line = slope[:, model.line] * model.line_percent_per_ka
    return line, slope[:, model.trafo]

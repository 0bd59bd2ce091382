"""AC power flow by the Z-bus fixed point: dense, vectorised over scenarios, loops allowed.

    V = V⁰ - Z I(V),   I(V) = conj(S(V) / V)

V⁰ are the voltages without load and Z the impedances between load buses and all buses, both exact
for taps, phase shifts, shunts and line charging. Only load buses take part in the iteration.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Complex, Int

from gridsim.network.feeder import Feeder
from gridsim.powerflow.loads import ZipShare, served_power
from ss_core.errors import InputError

DIVERGED_PU = 1e3  # a voltage step of this size ends a scenario
MAX_BUSES = 4000  # the impedance matrix of more would not fit small machines


@dataclass(frozen=True, slots=True)
class Voltages:
    """Solution of a block of scenarios; columns that did not converge hold no meaning."""

    v: Complex[np.ndarray, "bus lane"]
    converged: Bool[np.ndarray, " lane"]
    iterations: Int[np.ndarray, " lane"]


@dataclass(frozen=True, slots=True)
class ZbusModel:
    """Open-circuit voltages and impedances of one feeder."""

    load_bus: Int[np.ndarray, " loadbus"]  # without the slack bus
    v_open: Complex[np.ndarray, " bus"]
    z_load: Complex[np.ndarray, "loadbus loadbus"]
    z_bus: Complex[np.ndarray, "bus loadbus"]

    def solve(
        self,
        demand: Complex[np.ndarray, "loadbus lane"],
        zip_share: ZipShare,
        *,
        tolerance_pu: float,
        max_iterations: int,
    ) -> Voltages:
        """Iterate until the estimated error of every load bus voltage is below the tolerance.

        With q the ratio of the last two steps d', d, what is left after d is d q / (1 - q), that is
        d² / (d' - d). Scenarios leave the iteration one by one as they converge or diverge.
        """
        loads, lanes = demand.shape
        v_open = self.v_open[self.load_bus][:, None]
        current = np.zeros((loads, lanes), complex)
        iterations = np.zeros(lanes, np.int64)
        converged = np.zeros(lanes, bool)

        active = np.arange(lanes)
        v = np.repeat(v_open, lanes, axis=1)
        last_step = np.zeros(lanes)
        with np.errstate(all="ignore"):
            for _ in range(max_iterations):
                injected = _load_current(demand, v, zip_share)
                next_v = v_open - self.z_load @ injected
                step = np.abs(next_v - v).max(axis=0, initial=0.0)
                iterations[active] += 1
                done = step * step <= tolerance_pu * (last_step - step)
                leaves = done | ~(step < DIVERGED_PU)
                v, last_step = next_v, step
                if leaves.any():
                    current[:, active[done]] = injected[:, done]
                    converged[active[done]] = True
                    stays = ~leaves
                    active, v, last_step = active[stays], v[:, stays], step[stays]
                    demand = demand[:, stays]
                    if not len(active):
                        break
        return Voltages(self.v_open[:, None] - self.z_bus @ current, converged, iterations)


def slack_voltage(feeder: Feeder) -> complex:
    """Complex voltage of the slack bus, per unit."""
    return complex(feeder.slack_vm_pu * np.exp(1j * np.deg2rad(feeder.slack_va_degree)))


def zbus_model(feeder: Feeder, load_bus: Int[np.ndarray, " loadbus"]) -> ZbusModel:
    """Invert the feeder's admittance matrix as far as loads need it.

    Raises:
        InputError: the feeder is too large for dense matrices.
    """
    if feeder.bus_count > MAX_BUSES:
        raise InputError(
            f"feeder {feeder.name!r}: {feeder.bus_count} buses are too many for a meshed feeder "
            f"(at most {MAX_BUSES}); open its loops at a switch or split it"
        )
    y = bus_admittance(feeder)
    others = np.delete(np.arange(feeder.bus_count), feeder.slack_bus)
    unit = np.zeros((feeder.bus_count, len(load_bus)))
    unit[load_bus, np.arange(len(load_bus))] = 1.0
    right = np.column_stack([-y[:, feeder.slack_bus] * slack_voltage(feeder), unit])[others]
    solution = np.linalg.solve(y[np.ix_(others, others)], right)
    v_open = np.full(feeder.bus_count, slack_voltage(feeder))
    v_open[others] = solution[:, 0]
    z_bus = np.zeros((feeder.bus_count, len(load_bus)), complex)
    z_bus[others] = solution[:, 1:]
    return ZbusModel(load_bus, v_open, z_bus[load_bus], z_bus)


def bus_admittance(feeder: Feeder) -> Complex[np.ndarray, "bus bus"]:
    """The dense bus admittance matrix."""
    y = np.diag(feeder.bus_shunt.astype(complex))
    for row, column, value in (
        (feeder.branch_from, feeder.branch_from, feeder.yff),
        (feeder.branch_from, feeder.branch_to, feeder.yft),
        (feeder.branch_to, feeder.branch_from, feeder.ytf),
        (feeder.branch_to, feeder.branch_to, feeder.ytt),
    ):
        np.add.at(y, (row, column), value)
    return y


def _load_current(
    demand: Complex[np.ndarray, "loadbus lane"],
    v: Complex[np.ndarray, "loadbus lane"],
    zip_share: ZipShare,
) -> Complex[np.ndarray, "loadbus lane"]:
    vm_pu = np.real(v) if zip_share.is_constant_power else np.abs(v)  # constant power ignores it
    current = served_power(demand, vm_pu, zip_share) / v
    return np.conj(current, out=current)

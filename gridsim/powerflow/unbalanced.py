"""Batched unbalanced power flow in three phases: voltages to neutral, unbalance, neutral currents.

The Z-bus fixed point of `zbus` over load buses and phases,

    V = V⁰ - Z I(V),   I(V) = conj(S(V) / V),

with the impedances of the positive, negative and zero sequence: currents are taken to symmetrical
components, which lines and transformers do not couple, and voltages back to phases. The neutral is
grounded at every bus (Kron-reduced). Power > 0 consumes; between phase and neutral, and constant.
What does not converge is a row of NaN, never an exception.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Complex, Float, Int

from gridsim.network.sequences import SequenceNet, Sequences
from gridsim.powerflow.loads import CONSTANT_POWER
from gridsim.powerflow.zbus import DIVERGED_PU, MAX_BUSES, ZbusModel, slack_voltage
from ss_core.errors import InputError

BLOCK_ELEMENTS = 32_768  # phases, buses and scenarios worked on together
A = np.exp(2j * np.pi / 3)
TO_PHASES = np.array([[1, 1, 1], [1, A**2, A], [1, A, A**2]])  # of (zero, positive, negative)
TO_SEQUENCES = np.linalg.inv(TO_PHASES)
ZERO, POSITIVE, NEGATIVE = range(3)


@dataclass(frozen=True, slots=True)
class UnbalancedFlow:
    """Outcome of a batch; every quantity is NaN in the rows where `converged` is False."""

    converged: Bool[np.ndarray, " batch"]
    iterations: Int[np.ndarray, " batch"]
    v_pu: Complex[np.ndarray, "batch phase bus"]  # to neutral, of the rated voltage by root 3
    unbalance_percent: Float[np.ndarray, "batch bus"]  # negative over positive sequence voltage
    i_ka: Float[np.ndarray, "batch phase line"]  # the larger of both ends
    neutral_ka: Float[np.ndarray, "batch line"]  # the larger of both ends; earth counts as neutral

    @property
    def vm_pu(self) -> Float[np.ndarray, "batch phase bus"]:
        """Voltage magnitudes to neutral."""
        return np.abs(self.v_pu)


def solve_unbalanced(
    sequences: Sequences,
    p_mw: Float[np.ndarray, "batch phase terminal"],
    q_mvar: Float[np.ndarray, "batch phase terminal"],
    *,
    tolerance_pu: float = 1e-10,
    max_iterations: int = 100,
) -> UnbalancedFlow:
    """Solve every row of loads and generators by phase; `tolerance_pu` as in the balanced solver.

    Raises:
        InputError: the feeder is too large for dense matrices.
    """
    model = _model(sequences)
    batch, buses, lines = len(p_mw), sequences.feeder.bus_count, len(model.line_from)
    result = UnbalancedFlow(
        converged=np.zeros(batch, np.bool_),
        iterations=np.zeros(batch, np.int64),
        v_pu=np.empty((batch, 3, buses), complex),
        unbalance_percent=np.empty((batch, buses)),
        i_ka=np.empty((batch, 3, lines)),
        neutral_ka=np.empty((batch, lines)),
    )
    few = _few_slots(model, p_mw, q_mvar)
    lanes = max(16, BLOCK_ELEMENTS // (3 * buses) // 8 * 8)
    for first in range(0, batch, lanes):
        rows = slice(first, first + lanes)
        demand = _demand(model, p_mw[rows], q_mvar[rows])
        if few is None:
            solved = _fixed_point(model, demand, tolerance_pu, max_iterations)
        else:
            solved = _fixed_point_of_few(few, demand, tolerance_pu, max_iterations)
        with np.errstate(all="ignore"):  # rows that did not converge hold anything
            _write(result, rows, model, solved)
    return result


@dataclass(frozen=True, slots=True)
class _Model:
    """Everything a feeder needs for its solves, computed once."""

    bus: Int[np.ndarray, " loadbus"]
    slot_of_terminal: Int[np.ndarray, " terminal"]
    phase_base_mva: float
    v_open: Complex[np.ndarray, "sequence bus 1"]
    z_load: Complex[np.ndarray, "sequence loadbus loadbus"]
    z_bus: Complex[np.ndarray, "sequence bus loadbus"]
    line_from: Int[np.ndarray, " line"]
    line_to: Int[np.ndarray, " line"]
    y_from: Complex[np.ndarray, "sequence end line 1"]  # of the voltages at both ends
    y_to: Complex[np.ndarray, "sequence end line 1"]
    line_base_ka: Float[np.ndarray, "line 1"]


@dataclass(frozen=True, slots=True)
class _Solved:
    """Currents of loads as symmetrical components, and how sure they are."""

    injected: Complex[np.ndarray, "sequence loadbus lane"]
    converged: Bool[np.ndarray, " lane"]
    iterations: Int[np.ndarray, " lane"]


@lru_cache(maxsize=8)
def _model(sequences: Sequences) -> _Model:
    feeder = sequences.feeder
    if feeder.bus_count > MAX_BUSES:
        raise InputError(
            f"feeder {feeder.name!r}: {feeder.bus_count} buses are too many for unbalanced power "
            f"flow (at most {MAX_BUSES}); leave --phases at balanced, or split it"
        )
    bus, slot = np.unique(feeder.terminal_bus, return_inverse=True)
    nets = (sequences.zero, sequences.positive, sequences.negative)
    v_open = np.zeros((3, feeder.bus_count, 1), complex)
    z_bus = np.zeros((3, feeder.bus_count, len(bus)), complex)
    unit = np.zeros((feeder.bus_count, len(bus)))
    unit[bus, np.arange(len(bus))] = 1.0
    for number in (ZERO, NEGATIVE):  # nothing drives them but loads; the slack bus may move
        z_bus[number] = np.linalg.solve(_admittance(sequences, nets[number]), unit)
    y = _admittance(sequences, sequences.positive)
    others = np.delete(np.arange(feeder.bus_count), feeder.slack_bus)
    driven = -y[others, feeder.slack_bus] * slack_voltage(feeder)
    solution = np.linalg.solve(
        y[np.ix_(others, others)], np.column_stack([driven, unit[others].astype(complex)])
    )
    v_open[POSITIVE, feeder.slack_bus] = slack_voltage(feeder)
    v_open[POSITIVE, others, 0] = solution[:, 0]
    z_bus[POSITIVE, others] = solution[:, 1:]
    line = feeder.line_branch
    ends = [np.stack([n.yff[line], n.yft[line]])[..., None] for n in nets]
    other_ends = [np.stack([n.ytf[line], n.ytt[line]])[..., None] for n in nets]
    base_ka = feeder.sn_mva / (np.sqrt(3) * feeder.bus_vn_kv[feeder.branch_from[line]])
    return _Model(
        bus=bus,
        slot_of_terminal=slot,
        phase_base_mva=feeder.sn_mva / 3,
        v_open=v_open,
        z_load=np.ascontiguousarray(z_bus[:, bus]),
        z_bus=z_bus,
        line_from=feeder.branch_from[line],
        line_to=feeder.branch_to[line],
        y_from=np.stack(ends),
        y_to=np.stack(other_ends),
        line_base_ka=base_ka[:, None],
    )


def _admittance(sequences: Sequences, net: SequenceNet) -> Complex[np.ndarray, "bus bus"]:
    feeder = sequences.feeder
    y = np.diag(net.bus_shunt.astype(complex))
    for row, column, value in (
        (feeder.branch_from, feeder.branch_from, net.yff),
        (feeder.branch_from, feeder.branch_to, net.yft),
        (feeder.branch_to, feeder.branch_from, net.ytf),
        (feeder.branch_to, feeder.branch_to, net.ytt),
    ):
        np.add.at(y, (row, column), value)
    return y


def _demand(
    model: _Model,
    p_mw: Float[np.ndarray, "lane phase terminal"],
    q_mvar: Float[np.ndarray, "lane phase terminal"],
) -> Complex[np.ndarray, "phase loadbus lane"]:
    """Power drawn by phase and load bus, per unit of a phase's base."""
    demand = np.zeros((len(model.bus), 3, len(p_mw)), complex)
    np.add.at(demand, model.slot_of_terminal, (p_mw + 1j * q_mvar).transpose(2, 1, 0))
    return np.ascontiguousarray(demand.transpose(1, 0, 2)) / model.phase_base_mva


@dataclass(frozen=True, slots=True)
class _Few:
    """The phases of load buses where anything is drawn, few enough for one matrix of them all."""

    phase: Int[np.ndarray, " slot"]
    position: Int[np.ndarray, " slot"]  # among load buses
    zbus: ZbusModel  # whose buses are the slots


def _few_slots(
    model: _Model,
    p_mw: Float[np.ndarray, "batch phase terminal"],
    q_mvar: Float[np.ndarray, "batch phase terminal"],
) -> _Few | None:
    """None: three matrices, one for each sequence, are less work."""
    used = np.zeros((3, len(model.bus)), np.bool_)
    np.logical_or.at(used.T, model.slot_of_terminal, ((p_mw != 0) | (q_mvar != 0)).any(axis=0).T)
    phase, position = np.nonzero(used)
    if len(phase) ** 2 > 3 * len(model.bus) ** 2:
        return None
    z = np.zeros((len(phase), len(phase)), complex)
    v_open = np.zeros(len(phase), complex)
    for number in range(3):
        between = model.z_load[number][np.ix_(position, position)]
        z += TO_PHASES[phase, number, None] * between * TO_SEQUENCES[number, phase]
        v_open += TO_PHASES[phase, number] * model.v_open[number, model.bus[position], 0]
    return _Few(phase, position, ZbusModel(np.arange(len(phase)), v_open, z, z))


def _fixed_point_of_few(
    few: _Few,
    demand: Complex[np.ndarray, "phase loadbus lane"],
    tolerance_pu: float,
    max_iterations: int,
) -> _Solved:
    """The fixed point of `zbus` over the slots alone."""
    drawn = demand[few.phase, few.position]
    solved = few.zbus.solve(
        drawn, CONSTANT_POWER, tolerance_pu=tolerance_pu, max_iterations=max_iterations
    )
    current = np.zeros_like(demand)
    with np.errstate(all="ignore"):  # rows that did not converge hold anything
        current[few.phase, few.position] = np.conj(drawn / solved.v)
    return _Solved(_mixed(TO_SEQUENCES, current), solved.converged, solved.iterations)


def _fixed_point(
    model: _Model,
    demand: Complex[np.ndarray, "phase loadbus lane"],
    tolerance_pu: float,
    max_iterations: int,
) -> _Solved:
    """Iterate until the estimated error of every voltage is below the tolerance, as `zbus` does."""
    _, buses, lanes = demand.shape
    injected = np.zeros((3, buses, lanes), complex)
    iterations = np.zeros(lanes, np.int64)
    converged = np.zeros(lanes, np.bool_)
    v_open = model.v_open[:, model.bus]
    active = np.arange(lanes)
    v = np.repeat(_mixed(TO_PHASES, v_open), lanes, axis=2)
    last_step = np.zeros(lanes)
    with np.errstate(all="ignore"):
        for _ in range(max_iterations):
            current = _mixed(TO_SEQUENCES, np.conj(demand / v))
            next_v = _mixed(TO_PHASES, v_open - model.z_load @ current)
            step = np.abs(next_v - v).max(axis=(0, 1), initial=0.0)
            iterations[active] += 1
            done = step * step <= tolerance_pu * (last_step - step)
            leaves = done | ~(step < DIVERGED_PU)
            v, last_step = next_v, step
            if leaves.any():
                injected[:, :, active[done]] = current[:, :, done]
                converged[active[done]] = True
                stays = ~leaves
                active, v, last_step = active[stays], v[:, :, stays], step[stays]
                demand = demand[:, :, stays]
                if not len(active):
                    break
    return _Solved(injected, converged, iterations)


def _mixed(
    matrix: Complex[np.ndarray, "3 3"], values: Complex[np.ndarray, "3 row lane"]
) -> Complex[np.ndarray, "3 row lane"]:
    """Phases from symmetrical components, or the other way, at every bus."""
    return (matrix @ values.reshape(3, -1)).reshape(values.shape)


def _write(result: UnbalancedFlow, rows: slice, model: _Model, solved: _Solved) -> None:
    """Fill the rows of a block of scenarios; `result` is still private to the solve."""
    v = model.v_open - model.z_bus @ solved.injected
    v[:, :, ~solved.converged] = np.nan
    result.converged[rows] = solved.converged
    result.iterations[rows] = solved.iterations
    result.v_pu[rows] = _mixed(TO_PHASES, v).transpose(2, 0, 1)
    result.unbalance_percent[rows] = (100 * np.abs(v[NEGATIVE]) / np.abs(v[POSITIVE])).T
    v_from, v_to = v[:, model.line_from], v[:, model.line_to]
    i_from = model.y_from[:, 0] * v_from + model.y_from[:, 1] * v_to
    i_to = model.y_to[:, 0] * v_from + model.y_to[:, 1] * v_to
    phases = np.maximum(np.abs(_mixed(TO_PHASES, i_from)), np.abs(_mixed(TO_PHASES, i_to)))
    neutral = 3 * np.maximum(np.abs(i_from[ZERO]), np.abs(i_to[ZERO]))
    result.i_ka[rows] = (phases * model.line_base_ka).transpose(2, 0, 1)
    result.neutral_ka[rows] = (neutral * model.line_base_ka).T

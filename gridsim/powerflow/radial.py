"""AC power flow of large trees: one pass up and one pass down the feeder per iteration.

The same fixed point as `zbus`, its linear system solved by elimination along the tree, so that work
grows with the number of buses. Scenarios lie side by side in the innermost axis, which the compiler
turns into vector instructions. Importing this module imports numba, whose functions run-time type
checks cannot wrap (`no_type_check`).
"""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Complex, Int
from numba import njit

from gridsim.network.feeder import Feeder
from gridsim.powerflow.loads import ZipShare
from gridsim.powerflow.zbus import DIVERGED_PU, Voltages, slack_voltage

LANES = 16  # scenarios side by side


@dataclass(frozen=True, slots=True)
class RadialModel:
    """Elimination factors of a tree whose nodes are ordered from the slack bus outwards."""

    order: Int[np.ndarray, " node"]  # bus of each node; node 0 is the slack bus
    parent: Int[np.ndarray, " node"]
    up: Complex[np.ndarray, " node"]  # parent's right side -= up * own right side
    inverse: Complex[np.ndarray, " node"]  # own voltage = inverse * right side + down * parent's
    down: Complex[np.ndarray, " node"]
    load_node: Int[np.ndarray, " loadbus"]
    v_slack: complex

    def solve(
        self,
        demand: Complex[np.ndarray, "loadbus lane"],
        zip_share: ZipShare,
        *,
        tolerance_pu: float,
        max_iterations: int,
    ) -> Voltages:
        """Iterate until the estimated error of every load bus voltage is below the tolerance."""
        lanes = demand.shape[1]
        v = np.empty((len(self.order), lanes), complex)
        iterations = np.zeros(lanes, np.int64)
        converged = np.zeros(lanes, bool)
        _solve_lanes(
            self.order,
            self.parent,
            self.up,
            self.inverse,
            self.down,
            self.load_node,
            self.v_slack,
            np.ascontiguousarray(demand),
            np.array([*zip_share.p_shares, *zip_share.q_shares]) / 100,
            tolerance_pu,
            max_iterations,
            v,
            iterations,
            converged,
        )
        return Voltages(v, converged, iterations)


def radial_model(feeder: Feeder, load_bus: Int[np.ndarray, " loadbus"]) -> RadialModel | None:
    """Prepare a feeder for the sweep; None if it has loops."""
    n = feeder.bus_count
    pairs, to_low, to_high = _merged_branches(feeder)
    if len(pairs) != n - 1:
        return None
    order, parent, edge = _outward_order(pairs, n, feeder.slack_bus)
    if len(order) != n:
        return None
    node_of_bus = np.argsort(order)

    diagonal = feeder.bus_shunt.astype(complex)
    np.add.at(diagonal, feeder.branch_from, feeder.yff)
    np.add.at(diagonal, feeder.branch_to, feeder.ytt)
    pivot = diagonal[order]
    child_is_high = pairs[edge, 1] == order
    # Y[parent, child] and Y[child, parent]
    y_parent_child = np.where(child_is_high, to_low[edge], to_high[edge])
    y_child_parent = np.where(child_is_high, to_high[edge], to_low[edge])
    y_parent_child[0] = y_child_parent[0] = 0.0
    for node in range(n - 1, 0, -1):
        pivot[parent[node]] -= y_parent_child[node] * y_child_parent[node] / pivot[node]
    pivot[0] = 1.0  # the slack bus is not solved for
    return RadialModel(
        order=order,
        parent=parent,
        up=y_parent_child / pivot,
        inverse=1 / pivot,
        down=-y_child_parent / pivot,
        load_node=node_of_bus[load_bus],
        v_slack=slack_voltage(feeder),
    )


def _merged_branches(
    feeder: Feeder,
) -> tuple[Int[np.ndarray, "pair 2"], Complex[np.ndarray, " pair"], Complex[np.ndarray, " pair"]]:
    """Branches between the same buses as one: buses (low, high), Y[low, high], Y[high, low]."""
    forward = feeder.branch_from < feeder.branch_to
    ends = np.sort(np.column_stack([feeder.branch_from, feeder.branch_to]), axis=1)
    pairs, slot = np.unique(ends, axis=0, return_inverse=True)
    to_low = np.zeros(len(pairs), complex)
    to_high = np.zeros(len(pairs), complex)
    np.add.at(to_low, slot, np.where(forward, feeder.yft, feeder.ytf))
    np.add.at(to_high, slot, np.where(forward, feeder.ytf, feeder.yft))
    return pairs, to_low, to_high


def _outward_order(
    pairs: Int[np.ndarray, "pair 2"], bus_count: int, slack_bus: int
) -> tuple[Int[np.ndarray, " node"], Int[np.ndarray, " node"], Int[np.ndarray, " node"]]:
    """Depth-first order from the slack bus: bus, parent node and connecting pair of each node."""
    neighbours: list[list[tuple[int, int]]] = [[] for _ in range(bus_count)]
    for edge, (low, high) in enumerate(pairs.tolist()):
        neighbours[low].append((high, edge))
        neighbours[high].append((low, edge))
    order: list[int] = []
    parent: list[int] = []
    edges: list[int] = []
    seen = {slack_bus}
    stack = [(slack_bus, 0, 0)]
    while stack:
        bus, parent_node, edge = stack.pop()
        node = len(order)
        order.append(bus)
        parent.append(parent_node)
        edges.append(edge)
        for other, way in neighbours[bus]:
            if other not in seen:
                seen.add(other)
                stack.append((other, node, way))
    return np.array(order), np.array(parent), np.array(edges)


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
@no_type_check
def _solve_lanes(
    order,
    parent,
    up,
    inverse,
    down,
    load_node,
    v_slack,
    demand,
    zip_shares,
    tolerance_pu,
    max_iterations,
    v_out,
    iterations,
    converged,
):
    nodes, total = len(order), demand.shape[1]
    p = np.zeros((len(load_node), LANES))
    q = np.zeros((len(load_node), LANES))
    v_re = np.empty((nodes, LANES))
    v_im = np.empty((nodes, LANES))
    b_re = np.empty((nodes, LANES))
    b_im = np.empty((nodes, LANES))
    step = np.empty(LANES)
    last_step = np.empty(LANES)
    running = np.empty(LANES, np.bool_)
    for first in range(0, total, LANES):
        width = min(LANES, total - first)
        _load_block(demand, first, width, p, q)
        b_re[:] = 0.0
        b_im[:] = 0.0
        last_step[:] = 0.0
        running[:] = False
        running[:width] = True
        _open_circuit(parent, down, v_slack, v_re, v_im)
        for iteration in range(1, max_iterations + 1):
            _inject(load_node, p, q, zip_shares, v_re, v_im, b_re, b_im)
            _sweep(parent, up, inverse, down, v_re, v_im, b_re, b_im, step)
            left = 0
            for lane in range(width):
                if not running[lane]:
                    continue
                iterations[first + lane] = iteration
                if step[lane] * step[lane] <= tolerance_pu * (last_step[lane] - step[lane]):
                    running[lane] = False
                    converged[first + lane] = True
                    _store_lane(order, v_re, v_im, lane, v_out, first + lane)
                elif not step[lane] < DIVERGED_PU:
                    running[lane] = False
                else:
                    left += 1
                last_step[lane] = step[lane]
            if left == 0:
                break


@njit(cache=True, error_model="numpy")
@no_type_check
def _load_block(demand, first, width, p, q):
    """Copy `width` scenarios side by side; unused lanes draw nothing."""
    p[:] = 0.0
    q[:] = 0.0
    for k in range(len(demand)):
        for lane in range(width):
            p[k, lane] = demand[k, first + lane].real
            q[k, lane] = demand[k, first + lane].imag


@njit(cache=True, error_model="numpy")
@no_type_check
def _store_lane(order, v_re, v_im, lane, v_out, column):
    for node in range(len(order)):
        v_out[order[node], column] = complex(v_re[node, lane], v_im[node, lane])


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
@no_type_check
def _open_circuit(parent, down, v_slack, v_re, v_im):
    v_re[0, :] = v_slack.real
    v_im[0, :] = v_slack.imag
    for node in range(1, len(parent)):
        above = parent[node]
        v = down[node] * complex(v_re[above, 0], v_im[above, 0])
        v_re[node, :] = v.real
        v_im[node, :] = v.imag


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
@no_type_check
def _inject(load_node, p, q, zip_shares, v_re, v_im, b_re, b_im):
    """Right side of the linear system: minus the load currents conj(S / V)."""
    z_p, i_p, z_q, i_q = zip_shares
    constant_power = z_p == 0 and i_p == 0 and z_q == 0 and i_q == 0
    for k in range(len(load_node)):
        node = load_node[k]
        for lane in range(LANES):
            re, im = v_re[node, lane], v_im[node, lane]
            square = re * re + im * im
            active, reactive = p[k, lane], q[k, lane]
            if not constant_power:
                vm = np.sqrt(square)
                active *= 1 - z_p - i_p + vm * (i_p + z_p * vm)
                reactive *= 1 - z_q - i_q + vm * (i_q + z_q * vm)
            scale = -1 / square
            b_re[node, lane] = (active * re + reactive * im) * scale
            b_im[node, lane] = (active * im - reactive * re) * scale


@njit(cache=True, fastmath={"contract", "nsz"}, error_model="numpy")
@no_type_check
def _sweep(parent, up, inverse, down, v_re, v_im, b_re, b_im, step):
    """Solve the linear system in place; `step` becomes the largest change of a voltage."""
    nodes = len(parent)
    for node in range(nodes - 1, 0, -1):
        above = parent[node]
        re, im = up[node].real, up[node].imag
        for lane in range(LANES):
            x, y = b_re[node, lane], b_im[node, lane]
            b_re[above, lane] -= re * x - im * y
            b_im[above, lane] -= re * y + im * x
    step[:] = 0.0
    for node in range(1, nodes):
        above = parent[node]
        w_re, w_im = inverse[node].real, inverse[node].imag
        d_re, d_im = down[node].real, down[node].imag
        for lane in range(LANES):
            x, y = b_re[node, lane], b_im[node, lane]
            u, w = v_re[above, lane], v_im[above, lane]
            new_re = w_re * x - w_im * y + d_re * u - d_im * w
            new_im = w_re * y + w_im * x + d_re * w + d_im * u
            change_re = new_re - v_re[node, lane]
            change_im = new_im - v_im[node, lane]
            change = change_re * change_re + change_im * change_im
            step[lane] = change if not change <= step[lane] else step[lane]
            v_re[node, lane] = new_re
            v_im[node, lane] = new_im
            b_re[node, lane] = 0.0
            b_im[node, lane] = 0.0
    for lane in range(LANES):
        b_re[0, lane] = b_im[0, lane] = 0.0
        step[lane] = np.sqrt(step[lane])

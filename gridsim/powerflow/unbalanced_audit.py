"""The independent check of unbalanced power flow: steps solved again by `pandapower.runpp_3ph`.

Everything is carried as `asymmetric_load`, generation below zero: `runpp_3ph` ignores storages, and
what it makes of other tables need not be known.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from gridsim.network.feeder import OPEN_END
from gridsim.network.net_checks import Net
from gridsim.network.sequences import Sequences, three_phase_net
from gridsim.powerflow.unbalanced import UnbalancedFlow

PHASES = ("a", "b", "c")
AUDIT_BASE_MVA = 0.01  # runpp_3ph stops at a mismatch of 3e-8 of it, which cannot be set


@dataclass(frozen=True, slots=True)
class UnbalancedAudit:
    """Largest differences from `runpp_3ph` over the steps that both solved (NaN: none was)."""

    max_dv_pu: float  # complex, of every phase
    max_neutral_diff_a: float
    steps_checked: int
    steps_disputed: int  # solved here but not by pandapower


def audit_unbalanced(
    feeder_name_or_path: str | Path,
    sequences: Sequences,
    p_mw: Float[np.ndarray, "batch phase terminal"],
    q_mvar: Float[np.ndarray, "batch phase terminal"],
    flow: UnbalancedFlow,
    *,
    samples: int,
    rng: np.random.Generator,
) -> UnbalancedAudit:
    """Solve random converged steps again on the net that `sequences` was compiled from."""
    candidates = np.flatnonzero(flow.converged)
    steps = rng.choice(candidates, size=min(samples, len(candidates)), replace=False)
    net = reference_net(feeder_name_or_path, sequences)
    voltage, neutral = [], []
    for step in steps:
        if run_unbalanced_reference(net, p_mw[step], q_mvar[step]):
            voltage.append(_voltage_difference(net, sequences, flow, int(step)))
            neutral.append(_neutral_difference(net, sequences, flow, int(step)))
    return UnbalancedAudit(
        max_dv_pu=max(voltage, default=float("nan")),
        max_neutral_diff_a=max(neutral, default=float("nan")),
        steps_checked=len(voltage),
        steps_disputed=len(steps) - len(voltage),
    )


def reference_net(feeder_name_or_path: str | Path, sequences: Sequences) -> Net:
    """The net with one unbalanced load, still of no power, for every terminal of the feeder."""
    import pandapower

    feeder = sequences.feeder
    net, _ = three_phase_net(feeder_name_or_path, feeder)
    for position in feeder.terminal_bus:
        pandapower.create_asymmetric_load(net, int(feeder.bus_index[position]))
    if "Yzn" not in set(net.trafo["vector_group"]):  # whose admittance depends on the base there
        net.sn_mva = AUDIT_BASE_MVA
    return net


def run_unbalanced_reference(
    net: Net, p_mw: Float[np.ndarray, "phase terminal"], q_mvar: Float[np.ndarray, "phase terminal"]
) -> bool:
    """Solve a net of `reference_net` in place; False: no convergence."""
    import pandapower
    from pandapower.auxiliary import LoadflowNotConverged

    for phase, p, q in zip(PHASES, p_mw, q_mvar, strict=True):
        net.asymmetric_load[f"p_{phase}_mw"] = p
        net.asymmetric_load[f"q_{phase}_mvar"] = q
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what pandapower will change
            pandapower.runpp_3ph(net, tolerance_mva=1e-10, numba=False)
    except LoadflowNotConverged:
        return False
    return True


def _voltage_difference(net: Net, sequences: Sequences, flow: UnbalancedFlow, step: int) -> float:
    own = sequences.feeder.bus_index != OPEN_END
    found = net.res_bus_3ph.loc[sequences.feeder.bus_index[own]]
    theirs = [
        found[f"vm_{phase}_pu"].to_numpy()
        * np.exp(1j * np.deg2rad(found[f"va_{phase}_degree"].to_numpy()))
        for phase in PHASES
    ]
    return float(np.abs(flow.v_pu[step][:, own] - np.stack(theirs)).max())


def _neutral_difference(net: Net, sequences: Sequences, flow: UnbalancedFlow, step: int) -> float:
    found = net.res_line_3ph.loc[sequences.feeder.line_index, "i_n_ka"].to_numpy()
    return 1000 * float(np.abs(flow.neutral_ka[step] - found).max(initial=0.0))

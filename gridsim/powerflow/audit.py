"""The independent check of the physics: sampled steps solved again by `pandapower.runpp`.

Nothing here decides what a run does; it measures how far the fast solver is from pandapower.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from gridsim.network.feeder import OPEN_END, Feeder
from gridsim.network.net_checks import Net
from gridsim.network.pandapower_io import read_net, run_reference, with_switches
from gridsim.powerflow.loads import CONSTANT_POWER, ZipShare
from gridsim.powerflow.solve import PowerFlow


@dataclass(frozen=True, slots=True)
class Audit:
    """Largest differences from pandapower over the steps that both solved (NaN: none was)."""

    max_dv_pu: float
    max_loading_diff_percent: float  # percentage points, lines and transformers
    energy_balance_mw: float  # largest |supply - loads - losses| over all converged steps
    steps_checked: int
    steps_disputed: int  # solved here but not by pandapower
    lines_as_switches: int = 0  # of next to no impedance; pandapower solves with switches instead


def audit(
    feeder_name_or_path: str | Path,
    feeder: Feeder,
    p_mw: Float[np.ndarray, "batch terminal"],
    q_mvar: Float[np.ndarray, "batch terminal"],
    power_flow: PowerFlow,
    zip_share: ZipShare = CONSTANT_POWER,
    *,
    samples: int,
    rng: np.random.Generator,
) -> Audit:
    """Solve random converged steps again on the net that `feeder` was compiled from.

    Where pandapower finds no solution, lines of next to no impedance are closed switches in its
    net, as `lines_as_switches` says; loadings of such lines are not compared.
    """
    steps = _sample(power_flow, samples, rng)
    net = read_net(feeder_name_or_path)
    _set_zip(net, zip_share)
    tiny = np.zeros(len(feeder.line_index), dtype=np.bool_)
    voltage, loading, disputed = [], [], 0
    for step in steps:
        solved = run_reference(net, feeder, p_mw[step], q_mvar[step])
        if not solved and not tiny.any():
            net, tiny = with_switches(net, feeder)
            solved = tiny.any() and run_reference(net, feeder, p_mw[step], q_mvar[step])
        if solved:
            voltage.append(_voltage_difference(net, feeder, power_flow, step))
            loading.append(_loading_difference(net, feeder, power_flow, step, ~tiny))
        else:
            disputed += 1
    balance = power_flow.slack_p_mw - power_flow.load_p_mw - power_flow.loss_mw
    balance = np.abs(balance[power_flow.converged])
    return Audit(
        max_dv_pu=max(voltage, default=float("nan")),
        max_loading_diff_percent=max(loading, default=float("nan")),
        energy_balance_mw=float(balance.max()) if len(balance) else float("nan"),
        steps_checked=len(voltage),
        steps_disputed=disputed,
        lines_as_switches=int(tiny.sum()) if voltage else 0,
    )


def audit_note(audits: Collection[Audit]) -> str:
    """What pandapower says of all steps it was given, in words."""
    checked = [one for one in audits if one.steps_checked]
    disputed = sum(one.steps_disputed for one in audits)
    if not checked:
        return nothing_confirmed(disputed)
    worst = max(one.max_dv_pu for one in checked)
    balance = np.nanmax([one.energy_balance_mw for one in audits])
    return (
        f"pandapower re-solved {sum(one.steps_checked for one in checked)} steps: max |dV| "
        f"{worst:.1e} p.u., energy balance {balance:.1e} MW, {disputed} disputed"
        f"{_switches_note(max(one.lines_as_switches for one in checked))}"
    )


def _switches_note(lines: int) -> str:
    if not lines:
        return ""
    many = "1 line of next to no impedance is a closed switch"
    if lines > 1:
        many = f"{lines} lines of next to no impedance are closed switches"
    return f" ({many} there, since pandapower finds no solution otherwise)"


def nothing_confirmed(steps_disputed: int) -> str:
    """That no step at all could be compared with pandapower, and why."""
    if steps_disputed:
        why = f"it found no solution of any of the {steps_disputed} steps it was given"
    else:
        why = "no step has a power flow that it could solve again"
    return f"pandapower confirmed nothing: {why}"


def _sample(
    power_flow: PowerFlow, samples: int, rng: np.random.Generator
) -> Int[np.ndarray, " sample"]:
    candidates = np.flatnonzero(power_flow.converged)
    return rng.choice(candidates, size=min(samples, len(candidates)), replace=False)


def _set_zip(net: Net, zip_share: ZipShare) -> None:
    net.load["const_z_p_percent"], net.load["const_i_p_percent"] = zip_share.p_shares
    net.load["const_z_q_percent"], net.load["const_i_q_percent"] = zip_share.q_shares


def _voltage_difference(net: Net, feeder: Feeder, power_flow: PowerFlow, step: np.integer) -> float:
    """Largest complex voltage difference over all buses: magnitude and angle count."""
    own = feeder.bus_index != OPEN_END
    reference = net.res_bus.loc[feeder.bus_index[own]]
    angle = np.deg2rad(reference["va_degree"].to_numpy())
    theirs = reference["vm_pu"].to_numpy() * np.exp(1j * angle)
    return float(np.abs(power_flow.v_pu[step, own] - theirs).max())


def _loading_difference(
    net: Net,
    feeder: Feeder,
    power_flow: PowerFlow,
    step: np.integer,
    compared: Bool[np.ndarray, " line"],
) -> float:
    lines = net.res_line.loc[feeder.line_index, "loading_percent"].to_numpy()
    trafos = net.res_trafo.loc[feeder.trafo_index, "loading_percent"].to_numpy()
    return float(
        max(
            np.abs(power_flow.line_loading_percent[step] - lines)[compared].max(initial=0.0),
            np.abs(power_flow.trafo_loading_percent[step] - trafos).max(initial=0.0),
        )
    )

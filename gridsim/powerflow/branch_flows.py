"""What follows from solved voltages: branch currents and powers, loadings, losses, supply."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float, Int

from gridsim.network.feeder import Feeder

BLOCK_ELEMENTS = 4096  # branches times scenarios worked on together, so that they stay in the cache


@dataclass(frozen=True, slots=True)
class FlowModel:
    """Branch constants of one feeder, as columns for arithmetic with blocks of scenarios."""

    branch_from: Int[np.ndarray, " branch"]
    branch_to: Int[np.ndarray, " branch"]
    yff: Complex[np.ndarray, "branch 1"]
    yft: Complex[np.ndarray, "branch 1"]
    ytf: Complex[np.ndarray, "branch 1"]
    ytt: Complex[np.ndarray, "branch 1"]
    from_scale: Float[np.ndarray, "branch 1"]  # current per unit -> kA (lines), loading % (trafos)
    to_scale: Float[np.ndarray, "branch 1"]
    line: Int[np.ndarray, " line"]
    trafo: Int[np.ndarray, " trafo"]
    line_percent_per_ka: Float[np.ndarray, "line 1"]
    slack: int
    shunt_bus: Int[np.ndarray, " shunt"]
    shunt_y: Complex[np.ndarray, "shunt 1"]
    slack_shunt: complex
    sn_mva: float


@dataclass(frozen=True, slots=True)
class Flows:
    """Flows of a block of scenarios."""

    i_ka: Float[np.ndarray, "line lane"]
    line_loading_percent: Float[np.ndarray, "line lane"]
    p_from_mw: Float[np.ndarray, "line lane"]
    trafo_loading_percent: Float[np.ndarray, "trafo lane"]
    loss_mw: Float[np.ndarray, " lane"]
    slack_mva: Complex[
        np.ndarray, " lane"
    ]  # into the feeder, without loads at the slack bus itself


def flow_model(feeder: Feeder) -> FlowModel:
    """Prepare a feeder's branch constants."""
    base_ka = feeder.sn_mva / (np.sqrt(3) * feeder.bus_vn_kv)
    from_scale, to_scale = base_ka[feeder.branch_from], base_ka[feeder.branch_to]
    trafo_mva = feeder.trafo_sn_mva * feeder.trafo_parallel * feeder.trafo_df
    percent_per_ka_kv = 100 * np.sqrt(3) / trafo_mva
    from_scale[feeder.trafo_branch] *= percent_per_ka_kv * feeder.trafo_vn_hv_kv
    to_scale[feeder.trafo_branch] *= percent_per_ka_kv * feeder.trafo_vn_lv_kv
    shunt_bus = np.flatnonzero(feeder.bus_shunt)
    return FlowModel(
        branch_from=feeder.branch_from,
        branch_to=feeder.branch_to,
        yff=feeder.yff[:, None],
        yft=feeder.yft[:, None],
        ytf=feeder.ytf[:, None],
        ytt=feeder.ytt[:, None],
        from_scale=from_scale[:, None],
        to_scale=to_scale[:, None],
        line=feeder.line_branch,
        trafo=feeder.trafo_branch,
        line_percent_per_ka=100 / feeder.line_max_i_ka[:, None],
        slack=feeder.slack_bus,
        shunt_bus=shunt_bus,
        shunt_y=feeder.bus_shunt[shunt_bus, None],
        slack_shunt=complex(feeder.bus_shunt[feeder.slack_bus]),
        sn_mva=feeder.sn_mva,
    )


def branch_flows(model: FlowModel, v: Complex[np.ndarray, "bus lane"]) -> Flows:
    """Currents, powers and losses at the given voltages."""
    branches, lanes = len(model.branch_from), v.shape[1]
    load = np.empty((branches, lanes))  # kA of lines, percent of transformers
    p_from = np.empty((branches, lanes))
    loss = np.zeros(lanes)
    i_slack = model.slack_shunt * v[model.slack]
    block = max(64, BLOCK_ELEMENTS // max(lanes, 1))
    for first in range(0, branches, block):
        part = slice(first, first + block)
        v_from, v_to = v[model.branch_from[part]], v[model.branch_to[part]]
        i_from = model.yff[part] * v_from + model.yft[part] * v_to
        i_to = model.ytf[part] * v_from + model.ytt[part] * v_to
        p_from[part] = _active(v_from, i_from)
        loss += p_from[part].sum(axis=0) + _active(v_to, i_to).sum(axis=0)
        np.maximum(
            np.abs(i_from) * model.from_scale[part],
            np.abs(i_to) * model.to_scale[part],
            out=load[part],
        )
        i_slack += i_from[model.branch_from[part] == model.slack].sum(axis=0)
        i_slack += i_to[model.branch_to[part] == model.slack].sum(axis=0)
    if len(model.shunt_bus):
        v_shunt = v[model.shunt_bus]
        loss += _active(v_shunt, model.shunt_y * v_shunt).sum(axis=0)
    i_ka = load[model.line]
    return Flows(
        i_ka=i_ka,
        line_loading_percent=i_ka * model.line_percent_per_ka,
        p_from_mw=p_from[model.line] * model.sn_mva,
        trafo_loading_percent=load[model.trafo],
        loss_mw=loss * model.sn_mva,
        slack_mva=v[model.slack] * np.conj(i_slack) * model.sn_mva,
    )


def _active(
    v: Complex[np.ndarray, "row lane"], i: Complex[np.ndarray, "row lane"]
) -> Float[np.ndarray, "row lane"]:
    """Real part of v conj(i)."""
    power = np.real(v) * np.real(i)
    power += np.imag(v) * np.imag(i)
    return power

"""What a feeder's steps cost by losses and limits, and what a kW at each load adds to that.

    c = p ℓ + Σ_b k/2 S_b (u_b - u⁰)₊² + Σ_n h/2 [(v⁻ - v_n)₊² + (v_n - v⁺)₊²]        EUR per hour

with losses ℓ [kW] at the price p of energy, loadings u_b of lines and transformers of rating S_b
[kVA], and voltages v_n of buses with loads. Derivatives come from `sensitivities`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gridsim.network.feeder import Feeder
from gridsim.powerflow.sensitivities import Sensitivities
from gridsim.powerflow.solve import PowerFlow

KW_PER_MW = 1000.0
PERCENT = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLimits:
    """Where a network begins to cost, and how fast."""

    loading: float  # u⁰, share of the rating
    loading_eur_per_kwh: float  # k: more per kWh for each 100 % above it
    low_pu: float  # v⁻
    high_pu: float  # v⁺
    voltage_eur_per_h: float  # h: per p.u. squared and bus


def network_eur_per_h(
    feeder: Feeder,
    flow: PowerFlow,
    price_eur_per_kwh: Float[np.ndarray, " batch"],
    limits: NetworkLimits,
) -> Float[np.ndarray, " batch"]:
    """c of the formula above; NaN in steps without a solution."""
    cost = price_eur_per_kwh * KW_PER_MW * flow.loss_mw
    for percent, rated_kva in _branches(feeder, flow):
        over = np.maximum(percent / PERCENT - limits.loading, 0.0)
        cost = cost + limits.loading_eur_per_kwh / 2 * (over**2) @ rated_kva
    low, high = _outside(feeder, flow, limits)
    return cost + limits.voltage_eur_per_h / 2 * (low**2 + high**2).sum(axis=1)


def marginal_eur_per_kwh(
    feeder: Feeder,
    flow: PowerFlow,
    found: Sensitivities,
    price_eur_per_kwh: Float[np.ndarray, " batch"],
    limits: NetworkLimits,
) -> Float[np.ndarray, "batch load"]:
    """What one kW more at each load adds to c; below 0 where it relieves the network."""
    more = price_eur_per_kwh[:, None] * found.loss_mw
    slopes = (found.line_loading_percent, found.trafo_loading_percent)
    for (percent, rated_kva), slope in zip(_branches(feeder, flow), slopes, strict=True):
        over = np.maximum(percent / PERCENT - limits.loading, 0.0) * rated_kva
        weight = limits.loading_eur_per_kwh * over / PERCENT / KW_PER_MW
        more = more + (weight[:, None] @ slope)[:, 0]
    low, high = _outside(feeder, flow, limits)
    slope = found.vm_pu[:, np.unique(feeder.load_bus)]
    weight = limits.voltage_eur_per_h * (high - low) / KW_PER_MW
    return more + (weight[:, None] @ slope)[:, 0]


def increments_eur_per_h(
    feeder: Feeder,
    flow: PowerFlow,
    found: Sensitivities,
    price_eur_per_kwh: Float[np.ndarray, " batch"],
    limits: NetworkLimits,
    *,
    load: int,
    more_kw: Float[np.ndarray, " more"],
) -> Float[np.ndarray, "batch more"]:
    """What so much more at one load adds to c where loadings, voltages and losses answer linearly.

    A loading that falls through 0 has changed its direction, and grows again.
    """
    more_mw = more_kw / KW_PER_MW
    added = price_eur_per_kwh[:, None] * found.loss_mw[:, load, None] * more_kw
    slopes = (found.line_loading_percent, found.trafo_loading_percent)
    for (percent, rated_kva), slope in zip(_branches(feeder, flow), slopes, strict=True):
        then = np.abs(percent[..., None] + slope[:, :, load, None] * more_mw)
        over, before = (
            np.maximum(loading / PERCENT - limits.loading, 0.0) ** 2
            for loading in (then, percent[..., None])
        )
        weight = limits.loading_eur_per_kwh / 2 * rated_kva[:, None]
        added = added + (weight * (over - before)).sum(axis=1)
    buses = np.unique(feeder.load_bus)
    now = flow.vm_pu[:, buses, None]
    then = now + found.vm_pu[:, buses, load, None] * more_mw
    outside, before = (
        np.maximum(limits.low_pu - vm, 0.0) ** 2 + np.maximum(vm - limits.high_pu, 0.0) ** 2
        for vm in (then, now)
    )
    return added + limits.voltage_eur_per_h / 2 * (outside - before).sum(axis=1)


def _branches(
    feeder: Feeder, flow: PowerFlow
) -> list[tuple[Float[np.ndarray, "batch branch"], Float[np.ndarray, " branch"]]]:
    """Loading [%] and rating [kVA] of lines and of transformers."""
    kv = feeder.bus_vn_kv[feeder.branch_from[feeder.line_branch]]
    lines_kva = KW_PER_MW * np.sqrt(3.0) * kv * feeder.line_max_i_ka
    trafos_kva = KW_PER_MW * feeder.trafo_sn_mva * feeder.trafo_parallel * feeder.trafo_df
    return [(flow.line_loading_percent, lines_kva), (flow.trafo_loading_percent, trafos_kva)]


def _outside(
    feeder: Feeder, flow: PowerFlow, limits: NetworkLimits
) -> tuple[Float[np.ndarray, "batch bus"], Float[np.ndarray, "batch bus"]]:
    """How far buses with loads are below and above the band."""
    vm_pu = flow.vm_pu[:, np.unique(feeder.load_bus)]
    return np.maximum(limits.low_pu - vm_pu, 0.0), np.maximum(vm_pu - limits.high_pu, 0.0)

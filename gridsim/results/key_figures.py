"""Key figures of days, as pure functions of arrays: money, load shape, grid, equity.

One number per day under the name analysts use.
A day with a power flow that did not converge has NaN grid figures and is counted, not averaged in.
"""

import numpy as np
from jaxtyping import Bool, Float

from gridsim.game.costs import Costs
from gridsim.households.households import STEP_H
from ss_core.scenario.key_figures import DayFigures
from ss_core.statistics import gini

LOWEST_VM_PU = 0.9  # EN 50160: nominal voltage ± 10 %
HIGHEST_VM_PU = 1.1
LOW_VM_PU = 0.95  # a usual planning mark
NOTICEABLE_EUR = 1e-6


def money_kpis(costs: Costs) -> DayFigures:
    """Mean cost of a household and its parts, EUR per day."""
    return {
        "cost_eur_per_household": costs.cost_eur.mean(axis=-1),
        "bill_eur": costs.bill_eur.mean(axis=-1),
        "charge_eur": costs.charge_eur,
        "discomfort_eur": costs.discomfort_eur.mean(axis=-1),
    }


def load_kpis(load_kw: Float[np.ndarray, "day household step"]) -> DayFigures:
    """Shape of the feeder's load: peaks each way, peak-to-average ratio, sum of |ΔL|."""
    total_kw = load_kw.sum(axis=1)
    peak_kw = total_kw.max(axis=-1)
    mean_kw = total_kw.mean(axis=-1)
    return {
        "peak_kw": peak_kw,
        "feed_in_peak_kw": np.maximum(-total_kw.min(axis=-1), 0.0),
        "par": np.divide(peak_kw, mean_kw, out=np.full_like(peak_kw, np.nan), where=mean_kw > 0),
        "ramping_kw": np.abs(np.diff(total_kw, axis=-1)).sum(axis=-1),
        "energy_kwh": total_kw.sum(axis=-1) * STEP_H,
    }


def grid_kpis(
    *,
    household_vm_pu: Float[np.ndarray, "day step household"],
    trafo_loading_percent: Float[np.ndarray, "day step"] | None,
    line_loading_percent: Float[np.ndarray, "day step"],
    loss_kw: Float[np.ndarray, "day step"],
    converged: Bool[np.ndarray, "day step"],
) -> DayFigures:
    """Transformer, lines, voltage at the households and losses; NaN on days with an unsolved step.

    A feeder without a transformer has no figures of one.
    """
    vm_pu = household_vm_pu
    outside = (vm_pu < LOWEST_VM_PU) | (vm_pu > HIGHEST_VM_PU)
    figures = {
        "line_loading_percent": line_loading_percent.max(axis=1),
        "vm_min_pu": vm_pu.min(axis=(1, 2)),
        "vm_max_pu": vm_pu.max(axis=(1, 2)),
        "household_hours_below_095": (vm_pu < LOW_VM_PU).sum(axis=(1, 2)) * STEP_H,
        "household_hours_outside_band": outside.sum(axis=(1, 2)) * STEP_H,
        "losses_kwh": loss_kw.sum(axis=1) * STEP_H,
    }
    if trafo_loading_percent is not None:
        figures["trafo_loading_percent"] = trafo_loading_percent.max(axis=1)
        figures["trafo_overload_h"] = (trafo_loading_percent > 100.0).sum(axis=1) * STEP_H
    solved = converged.all(axis=1)
    masked = {name: np.where(solved, values, np.nan) for name, values in figures.items()}
    return masked | {"unsolved_steps": (~converged).sum(axis=1).astype(np.float64)}


def equity_kpis(
    cost_eur: Float[np.ndarray, "day household"], nash_cost_eur: Float[np.ndarray, "day household"]
) -> DayFigures:
    """Who saves against the equilibrium: share of losers, Gini of the savings (losers save 0)."""
    saving_eur = nash_cost_eur - cost_eur
    return {
        "share_of_losers": (saving_eur < -NOTICEABLE_EUR).mean(axis=1),
        "gini_of_savings": np.array([gini(day) for day in np.maximum(saving_eur, 0.0)]),
    }

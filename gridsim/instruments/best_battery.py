"""What a battery does that minimises what its household's own tariff charges, plus its own cost.

Dynamic programming over what is stored, at the tariff's cost of each step. A charge on the peak is
no cost of a step: a heuristic, tried at a few caps. Importing this module imports numba.
"""

import numpy as np
from jaxtyping import Float

from gridsim.households.batteries import BatteryKind
from gridsim.households.battery_search import NUM_POWERS, cheapest_plan, fill_powers
from gridsim.households.households import STEP_H, STEPS_PER_DAY
from gridsim.instruments.own_tariff import OwnTariff, feed_in_eur, kept_kw, paid_eur

CAPS = 5  # on the household's peak, from the lowest that the battery's power can reach


def best_battery(
    capacity_kwh: float,
    wear_eur_per_kwh: float,
    kind: BatteryKind,
    own_kw: Float[np.ndarray, " step"],
    tariff: OwnTariff,
) -> Float[np.ndarray, " step"]:
    """The cheapest plan found on top of what the household draws without its battery.

    With a charge r on the peak, each cap c of a few gives a plan at r Σ_t (x_t - c)₊ more: never
    less than the charge above c, and the same where x stays below it. The plan that truly costs
    least counts; beside them one that does not look at the peak.
    """
    most_kw = kind.kw_per_kwh * capacity_kwh
    caps_kw = np.array([np.inf])
    if tariff.peak_eur_per_kw > 0.0:
        paid_kw = max(float(own_kw.max()), tariff.free_kw)  # a peak that costs nothing more
        lowest = max(float(own_kw.max()) - most_kw, tariff.free_kw)
        caps_kw = np.append(caps_kw, np.unique(np.linspace(lowest, paid_kw, CAPS)))
    plans = np.stack(
        [
            _below(cap, capacity_kwh, wear_eur_per_kwh, kind, own_kw, tariff)
            for cap in caps_kw.tolist()
        ]
    )
    cost = paid_eur(tariff, own_kw + plans)
    cost += kind.cost_eur(plans, np.full(len(plans), wear_eur_per_kwh))
    return plans[cost.argmin()]


def _below(
    cap_kw: float,
    capacity_kwh: float,
    wear_eur_per_kwh: float,
    kind: BatteryKind,
    own_kw: Float[np.ndarray, " step"],
    tariff: OwnTariff,
) -> Float[np.ndarray, " step"]:
    """The cheapest plan where each step above a cap costs the rate of the peak."""
    most_kw = kind.kw_per_kwh * capacity_kwh
    powers = np.empty((STEPS_PER_DAY, NUM_POWERS))
    fill_powers(powers, own_kw, most_kw)
    bends = [cap_kw] if np.isfinite(cap_kw) else []
    bends += [-tariff.export_limit_kw] if np.isfinite(tariff.export_limit_kw) else []
    bends += [tariff.segment_kw] if tariff.segment_eur_per_kwh > 0.0 else []
    reach = [np.clip(bend - own_kw, -most_kw, most_kw)[:, None] for bend in bends]
    powers = np.ascontiguousarray(np.concatenate([powers, *reach], axis=1))
    drawn = kept_kw(tariff, own_kw[:, None] + powers)
    above = np.maximum(drawn - tariff.segment_kw, 0.0)
    costs = STEP_H * (tariff.price[:, None] * drawn + tariff.segment_eur_per_kwh * above)
    costs += feed_in_eur(tariff, drawn.T).T
    costs += kind.step_eur(powers, np.array(wear_eur_per_kwh), np.arange(STEPS_PER_DAY)[:, None])
    if np.isfinite(cap_kw):
        costs += tariff.peak_eur_per_kw * np.maximum(drawn - cap_kw, 0.0)
    kw = np.empty(STEPS_PER_DAY)
    cheapest_plan(costs, powers, 0, 0.0, capacity_kwh, kind.one_way, kw)
    return kw

"""A limit on what a roof feeds in: a share of its rated power, at the household's connection.

60 % is what § 9 (2) EEG asks of new plants in Germany without a controllable meter since February
2025 (the law on solar peaks), 70 % what it asked of small ones before. Own use comes first: only
what would be fed in above the limit is not generated. It earns nothing, and nobody is paid for it.
"""

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from gridsim.game.joint_schedules import Schedule
from gridsim.game.tariff import Tariff
from gridsim.households.households import Days
from gridsim.instruments.outcome import METER_BYTES, Outcome, held_back_h, supply_eur
from gridsim.instruments.own_tariff import OwnTariff
from gridsim.instruments.tariffs import answered
from gridsim.references.references import asap


def export_limits_kw(
    pv_kwp: Float[np.ndarray, " household"], share: float
) -> Float[np.ndarray, " household"]:
    """What each household may feed in; infinite where it has no roof."""
    return np.where(pv_kwp > 0.0, share * pv_kwp, math.inf)


def curtailed_kw(
    load_kw: Float[np.ndarray, "day household step"], limit_kw: Float[np.ndarray, " household"]
) -> Float[np.ndarray, "day household step"]:
    """What would be fed in above the limit."""
    return np.maximum(-load_kw - limit_kw[:, None], 0.0)


def export_limit_outcome(
    days: Days, tariff: Tariff, limit_kw: Float[np.ndarray, " household"]
) -> Outcome:
    """Jobs start on arrival, batteries store any surplus at once: many are full by noon."""
    plans = asap(days)
    cut_kw = curtailed_kw(plans.load_kw, limit_kw)
    schedule = Schedule.of_jobs("export_limit", days, plans.job_kw, plans.delay_eur, cut_kw)
    return Outcome.of(
        schedule,
        paid_eur=supply_eur(schedule.costs(tariff)),
        dimmed_h=held_back_h(cut_kw),
    )


def export_limit_spot_outcome(
    days: Days, tariff: Tariff, limit_kw: Float[np.ndarray, " household"]
) -> Outcome:
    """Best responses to hourly prices where feeding in above the limit earns nothing."""
    own = OwnTariff.hourly(tariff)

    def limited(d: int, household: int) -> OwnTariff:
        del d
        return replace(own, export_limit_kw=float(limit_kw[household]))

    return answered("export_limit_spot", days, tariff, limited, METER_BYTES)

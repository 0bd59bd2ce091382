"""Instruments that are prices: every household answers its own tariff, and nobody else's load.

Time-of-use, hourly prices, capacity tariffs and the segmented tariff replace the price that
depends on demand and the feeder charge; the supplier or operator bears the difference (`surplus`).
What a household feeds in brings the run's feed-in tariff, or the price where there is none; what is
charged for a peak, or above a power, counts what it draws.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from gridsim.game.joint_schedules import Schedule
from gridsim.game.tariff import Tariff
from gridsim.households.households import STEP_H, Days
from gridsim.instruments.best_response import best_response
from gridsim.instruments.config import InstrumentRules
from gridsim.instruments.outcome import METER_BYTES, VALUE_BYTES, Outcome, held_back_h, waiting_eur
from gridsim.instruments.own_tariff import (
    OwnTariff,
    feed_in_eur,
    kept_kw,
    paid_eur,
    peak_charge_eur,
    segment_charge_eur,
    time_of_use,
)
from gridsim.references.references import asap


def time_of_use_outcome(days: Days, tariff: Tariff, rules: InstrumentRules) -> Outcome:
    """Bands of hours instead of hours; a band's energy is all that the supplier reads."""
    own = time_of_use(tariff, rules.bands)
    revealed = float(VALUE_BYTES * rules.bands)
    return answered("time_of_use", days, tariff, lambda *_: own, revealed)


def spot_outcome(days: Days, tariff: Tariff) -> Outcome:
    """The hourly price a_t alone, as if nobody's demand mattered."""
    own = OwnTariff.hourly(tariff)
    return answered("spot", days, tariff, lambda *_: own, METER_BYTES)


def capacity_daily_outcome(days: Days, tariff: Tariff, rules: InstrumentRules) -> Outcome:
    """Hourly prices, and EUR per kW of the household's highest quarter-hour of the day."""
    own = replace(OwnTariff.hourly(tariff), peak_eur_per_kw=rules.capacity_eur_per_kw_day)
    return answered("capacity_daily", days, tariff, lambda *_: own, METER_BYTES)


def capacity_monthly_outcome(days: Days, tariff: Tariff, rules: InstrumentRules) -> Outcome:
    """Hourly prices, and EUR per kW of the household's highest quarter-hour of the month.

    How a month enters a day: the days of the batch follow each other, `days_per_month` of them are
    a month. A household knows the peak it has paid for so far this month (on the first day the
    `capacity_least_kw` that everybody pays for) and pays the whole month's rate for each kW that a
    day adds to it. What everybody pays in any case is left out of the decision and spread over the
    days of the month in what is paid.
    """
    least = rules.capacity_least_kw
    own = replace(
        OwnTariff.hourly(tariff), peak_eur_per_kw=rules.capacity_eur_per_kw_month, free_kw=least
    )
    highest = np.full(days.num_households, least)

    def owed(d: int, household: int) -> OwnTariff:
        return replace(own, free_kw=float(highest[household]))

    def remember(d: int, load_kw: Float[np.ndarray, "household step"]) -> None:
        highest[:] = np.maximum(highest, load_kw.max(axis=1))
        if (d + 1) % rules.days_per_month == 0:
            highest[:] = least

    fixed = rules.capacity_eur_per_kw_month * least / rules.days_per_month
    return answered("capacity_monthly", days, tariff, owed, METER_BYTES, remember, fixed)


def segmented_outcome(days: Days, tariff: Tariff, rules: InstrumentRules) -> Outcome:
    """Hourly prices, and a higher price for what a household draws above a power."""
    own = replace(
        OwnTariff.hourly(tariff),
        segment_kw=rules.segment_kw,
        segment_eur_per_kwh=rules.segment_eur_per_kwh,
    )
    return answered("segmented", days, tariff, lambda *_: own, METER_BYTES)


def answered(
    name: str,
    days: Days,
    tariff: Tariff,
    own_tariff: Callable[[int, int], OwnTariff],
    revealed_bytes: float,
    remember: Callable[[int, Float[np.ndarray, "household step"]], None] = lambda *_: None,
    fixed_eur: float = 0.0,
) -> Outcome:
    """Best responses of all households day by day, from starting everything at once."""
    jobs, job_kw = days.jobs, asap(days).job_kw.copy()
    paid, extra = np.zeros(days.base_kw.shape[:2]), np.zeros(days.base_kw.shape[:2])
    cut_kw = np.zeros_like(days.base_kw)
    for d in range(days.num_days):
        load_kw = days.base_kw[d].copy()
        for i in range(days.num_households):
            own, rows = own_tariff(d, i), np.flatnonzero((jobs.day == d) & (jobs.household == i))
            job_kw[rows] = best_response(days, rows, days.base_kw[d, i], job_kw[rows], own)
            load_kw[i] += job_kw[rows].sum(axis=0)
            drawn = kept_kw(own, load_kw[i : i + 1])
            cut_kw[d, i] = drawn[0] - load_kw[i]
            paid[d, i] = fixed_eur + paid_eur(own, drawn)[0]
            energy = STEP_H * (drawn @ (own.price - tariff.base_price))
            energy += (feed_in_eur(own, drawn) - tariff.feed_in_eur(drawn)).sum(axis=1)
            charges = peak_charge_eur(own, drawn) + segment_charge_eur(own, drawn)
            extra[d, i] = fixed_eur + (energy + charges)[0]
        remember(d, load_kw)
    schedule = Schedule.of_jobs(name, days, job_kw, waiting_eur(days, job_kw), cut_kw)
    return Outcome.of(
        schedule,
        paid_eur=paid,
        instrument_eur=extra,
        dimmed_h=held_back_h(cut_kw),
        revealed_bytes=revealed_bytes,
    )

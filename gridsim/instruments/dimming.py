"""§ 14a EnWG: the operator of an overloaded feeder dims controllable devices, to a minimum.

Bundesnetzagentur, decision BK6-22-300 of 27 November 2023, annex 1. A controllable device is a
wallbox, heat pump, air conditioning or storage above 4.2 kW; the heat pumps of a connection count
as one of their summed power. Guaranteed are, under direct control, 4.2 kW per device (above 11 kW
of heat pumps 40 % of them), and behind an energy management system

    P_min = max(0.4 P_heat if P_heat > 11 kW, 4.2 kW) + (n - 1) · factor(n) · 4.2 kW

with the simultaneity factor of the annex's table. Other load of the household is never dimmed, and
nothing is that a household feeds in. A battery above 4.2 kW may be dimmed to them in what it
charges from the grid; what it stores of the household's own sun is not the operator's.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from gridsim.game.tariff import Tariff
from gridsim.households.batteries import BatteryKind
from gridsim.households.households import STEP_H, STEPS_PER_DAY, Days, JobKind, Population
from gridsim.households.schedules import EV_LEVELS
from gridsim.instruments.config import InstrumentRules
from gridsim.instruments.outcome import METER_BYTES, VALUE_BYTES, Outcome, supply_eur, with_losses
from gridsim.instruments.own_tariff import OwnTariff, paid_eur
from gridsim.instruments.storage import Batteries
from gridsim.instruments.tariffs import spot_outcome
from gridsim.references.references import asap

GUARANTEED_KW = 4.2
LARGE_HEAT_KW = 11.0  # of heat pumps, above which a share of them is guaranteed
LARGE_HEAT_SHARE = 0.4
SIMULTANEITY = (1.0, 0.80, 0.75, 0.70, 0.65, 0.60, 0.55, 0.50, 0.45)  # 1 … 8, 9 or more devices
DAYS_PER_YEAR = 365.0


def guaranteed_kw(devices: int, heat_kw: float = 0.0) -> float:
    """P_min of a connection: `devices` controllable ones behind one energy management system.

    Args:
        devices: wallboxes and storages, and one for all heat pumps if they exceed 4.2 kW together.
        heat_kw: summed power of those heat pumps.
    """
    if devices == 0:
        return 0.0
    first = max(LARGE_HEAT_SHARE * heat_kw if heat_kw > LARGE_HEAT_KW else 0.0, GUARANTEED_KW)
    factor = SIMULTANEITY[min(devices, len(SIMULTANEITY)) - 1]
    return first + (devices - 1) * factor * GUARANTEED_KW


def controllable(population: Population, battery: BatteryKind) -> Bool[np.ndarray, " household"]:
    """Who has a wallbox, or a battery above 4.2 kW."""
    battery_kw = battery.kw_per_kwh * population.battery_kwh
    return population.owns[:, JobKind.EV].astype(bool) | (battery_kw > GUARANTEED_KW)


@dataclass(frozen=True, slots=True)
class Charged:
    """What cars of one day drew under the operator's hand."""

    level: Int[np.ndarray, "car step"]
    dimmed: Bool[np.ndarray, "car step"]  # steps with less power than the car wanted
    battery_kw: Float[np.ndarray, "battery step"]
    battery_dimmed: Bool[np.ndarray, "battery step"]


def charge_under_limit(
    days: Days,
    cars: Int[np.ndarray, " car"],
    fixed_kw: Float[np.ndarray, "household step"],
    floor_kw: Float[np.ndarray, "car step"],
    limit_kw: Float[np.ndarray, " step"],
    price: Float[np.ndarray, "car step"],
    batteries: Batteries,
    planned_kw: Float[np.ndarray, "battery step"] | None = None,
) -> Charged:
    """Quarter-hour by quarter-hour of one day; nobody knows more than the present.

    Each car asks for what is best for its owner from now on: its remaining energy at full power in
    the cheapest quarter-hours left, waiting included. If that overloads the feeder, the operator
    lowers one cap for all, level by level, until it does not; no car gets less than is guaranteed.
    What a car does not get it asks for later, until it leaves.

    Batteries do what they planned as far as it still goes, or without a plan store and cover what
    their household has and needs; the cap holds, above 4.2 kW, for what they make it draw.
    """
    jobs, level_kw = days.jobs, days.ev_level_kw
    first, end, left = jobs.arrival_step[cars], jobs.end_step[cars], jobs.units[cars].copy()
    steps = np.arange(STEPS_PER_DAY)
    cost = price + jobs.delay_cost[cars, None] * STEP_H * (steps - first[:, None])
    level = np.zeros((len(cars), STEPS_PER_DAY), dtype=np.int64)
    dimmed = np.zeros(level.shape, dtype=bool)
    total_kw, stored = fixed_kw.sum(axis=0), np.zeros(len(batteries.job))
    battery_kw = np.zeros((len(stored), STEPS_PER_DAY))
    battery_dimmed = np.zeros(battery_kw.shape, dtype=bool)
    for t in steps:
        cheaper = (steps > t) & (steps < end[:, None]) & (cost < cost[:, t, None] - 1e-12)
        wanted = np.clip(left - EV_LEVELS * cheaper.sum(axis=1), 0, EV_LEVELS)
        wanted = np.where((first <= t) & (t < end), wanted, 0)
        floor = np.floor(floor_kw[:, t] / level_kw + 1e-9).astype(np.int64)
        planned = None if planned_kw is None else planned_kw[:, t]
        given, wish, stores = wanted, battery_kw[:, t], battery_kw[:, t]
        for cap in range(EV_LEVELS, -1, -1):
            given = np.minimum(wanted, np.maximum(floor, cap))
            own_kw = fixed_kw[:, t].copy()
            np.add.at(own_kw, jobs.household[cars], level_kw * given)
            wish = _wished_kw(batteries, own_kw, stored, planned)
            stores = wish
            if cap < EV_LEVELS:
                sun_kw = np.maximum(-own_kw[batteries.household], 0.0)
                stores = np.minimum(wish, sun_kw + max(cap * level_kw, GUARANTEED_KW))
            if total_kw[t] + level_kw * given.sum() + stores.sum() <= limit_kw[t] + 1e-9:
                break
        level[:, t], dimmed[:, t] = given, given < wanted
        battery_kw[:, t], battery_dimmed[:, t] = stores, stores < wish - 1e-9
        left, stored = left - given, batteries.after_kwh(stores, stored)
    return Charged(level, dimmed, battery_kw, battery_dimmed)


def _wished_kw(
    batteries: Batteries,
    own_kw: Float[np.ndarray, " household"],
    stored_kwh: Float[np.ndarray, " battery"],
    planned_kw: Float[np.ndarray, " battery"] | None,
) -> Float[np.ndarray, " battery"]:
    if planned_kw is None:
        return batteries.covering_kw(own_kw, stored_kwh)
    return batteries.possible_kw(planned_kw, stored_kwh)


def dimming_outcome(
    days: Days,
    tariff: Tariff,
    limit_kw: Float[np.ndarray, "day step"],
    controllable: Bool[np.ndarray, " household"],
    rules: InstrumentRules,
    *,
    hourly_prices: bool,
) -> Outcome:
    """Households start at once, or follow hourly prices; the operator dims what overloads.

    The owner of a controllable device gets the flat reduction of module 1, dimmed or not.
    """
    name = "dimming_spot" if hourly_prices else "dimming"
    undimmed = spot_outcome(days, tariff).schedule if hourly_prices else asap(days)
    job_kw, is_car = undimmed.job_kw.copy(), days.jobs.units > 0
    dimmed_h = np.zeros(days.num_days)
    for d in range(days.num_days):
        cars = np.flatnonzero(is_car & (days.jobs.day == d))
        batteries = Batteries.of(days, d)
        fixed, moved = undimmed.load_kw[d].copy(), np.append(cars, batteries.job)
        np.subtract.at(fixed, days.jobs.household[moved], job_kw[moved])
        planned = job_kw[batteries.job] if hourly_prices else None
        floor = _floor_kw(days, d, cars, job_kw)
        price = np.zeros((len(cars), STEPS_PER_DAY))
        if hourly_prices:
            at_home = undimmed.load_kw[d, days.jobs.household[cars]] - job_kw[cars]
            price = _price_at_full_power(tariff, at_home, EV_LEVELS * days.ev_level_kw)
        charged = charge_under_limit(
            days, cars, fixed, floor, limit_kw[d], price, batteries, planned
        )
        job_kw[cars] = days.ev_level_kw * charged.level
        job_kw[batteries.job] = charged.battery_kw
        held_back = charged.dimmed.sum() + charged.battery_dimmed.sum()
        dimmed_h[d] = STEP_H * held_back / days.num_households
    schedule, missing, lost = with_losses(name, days, job_kw, rules.undelivered_eur_per_kwh)
    reduction = np.where(controllable, -rules.reduction_eur_per_year / DAYS_PER_YEAR, 0.0)
    reduction = np.broadcast_to(reduction, days.base_kw.shape[:2])
    if hourly_prices:
        paid = paid_eur(OwnTariff.hourly(tariff), schedule.load_kw)
    else:
        paid = supply_eur(schedule.costs(tariff))
    return Outcome.of(
        schedule,
        paid_eur=paid + reduction,
        instrument_eur=reduction.copy(),
        undelivered_kwh=missing,
        comfort_lost_eur=lost,
        dimmed_h=dimmed_h,
        revealed_bytes=METER_BYTES if hourly_prices else VALUE_BYTES,
    )


def _price_at_full_power(
    tariff: Tariff, at_home_kw: Float[np.ndarray, "car step"], full_kw: float
) -> Float[np.ndarray, "car step"]:
    """EUR/kWh of a car at full power: what its household would feed in costs the feed-in tariff."""
    if tariff.feed_in_loss is None:
        return np.broadcast_to(tariff.base_price, at_home_kw.shape)
    own_share = np.clip(-at_home_kw / full_kw, 0.0, 1.0)
    return tariff.base_price - tariff.feed_in_loss * own_share


def _floor_kw(
    days: Days, d: int, cars: Int[np.ndarray, " car"], job_kw: Float[np.ndarray, "job step"]
) -> Float[np.ndarray, "car step"]:
    """What is left for each car of its connection's guaranteed power.

    A heat pump above 4.2 kW takes of it what it draws: its blocks cannot be dimmed here.
    """
    jobs = days.jobs
    floor = np.full((len(cars), STEPS_PER_DAY), guaranteed_kw(1))
    for k, car in enumerate(cars):
        of_home = (jobs.day == d) & (jobs.household == jobs.household[car])
        blocks = np.flatnonzero(of_home & (jobs.kind == JobKind.HEAT_PUMP))
        heat_kw = float(jobs.cycle_kw[blocks].max(initial=0.0))
        if heat_kw > GUARANTEED_KW:
            floor[k] = guaranteed_kw(2, heat_kw) - job_kw[blocks].sum(axis=0)
    return np.maximum(floor, 0.0)

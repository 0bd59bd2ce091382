"""Days of a population, drawn: base load, the sun, and the jobs of every household."""

import numpy as np
from jaxtyping import Float, Int

from gridsim.households.households import (
    HEAT_PUMP_BLOCK_STEPS,
    HEAT_PUMP_BLOCKS,
    MAX_CYCLE_STEPS,
    SEASON_MONTHS,
    STEP_H,
    STEPS_PER_DAY,
    STEPS_PER_HOUR,
    Days,
    HouseholdConfig,
    JobKind,
    Jobs,
    Population,
    wet_appliances,
)
from gridsim.households.photovoltaics import clear_sky_of_roofs, draw_clouds
from gridsim.households.profiles import Profiles, from_hour, heat_pump_cop
from gridsim.own_data.meters import MeasuredDays


def draw_days(
    config: HouseholdConfig,
    profiles: Profiles,
    population: Population,
    num_days: int,
    rng: np.random.Generator,
    measured: MeasuredDays | None = None,
) -> Days:
    """Draw `num_days` independent days of the season by day bootstrap.

    Weather (and with it heat demand) is common to a day; each household's base load is its own
    trace on a random day of the same season and day type, shifted by up to `jitter_steps`; the
    load of its meter as it is, if loads are `measured`.
    """
    in_season = np.isin(profiles.month, SEASON_MONTHS[config.season])
    calendar_day = rng.choice(np.flatnonzero(in_season), num_days)
    weekend = profiles.weekday >= 5
    is_weekend = weekend[calendar_day]
    if measured is None:
        base_kw = _base_load(config, profiles, population, in_season, weekend, is_weekend, rng)
    else:
        base_kw = measured.draw(SEASON_MONTHS[config.season], is_weekend, rng)
        base_kw *= population.base_scale[None, :, None]
    parts = [
        *_wet_jobs(config, population, num_days, rng),
        _ev_jobs(config, population, num_days, rng),
        _heat_pump_jobs(config, profiles, population, calendar_day, rng),
        _battery_jobs(config, population, num_days),
    ]
    pv_kw, clearness = None, None
    if population.has_pv:
        clearness, sky = draw_clouds(num_days, rng)
        clear = from_hour(clear_sky_of_roofs(), config.first_hour)[:, calendar_day]
        pv_kw = (clear * sky)[population.pv_orientation] * population.pv_kwp[:, None, None]
        pv_kw = pv_kw.transpose(1, 0, 2)
        base_kw = base_kw - pv_kw
    return Days(
        base_kw=base_kw,
        jobs=_in_order(parts, population),
        calendar_day=calendar_day,
        is_weekend=is_weekend.astype(np.int64),
        temperature_c=from_hour(profiles.temperature_c, config.first_hour)[calendar_day],
        ev_level_kw=config.ev_level_kw,
        battery=config.battery,
        first_hour=config.first_hour,
        pv_kw=pv_kw,
        clearness=clearness,
    )


def _base_load(
    config: HouseholdConfig,
    profiles: Profiles,
    population: Population,
    in_season: np.ndarray,
    weekend: np.ndarray,
    is_weekend: np.ndarray,
    rng: np.random.Generator,
) -> Float[np.ndarray, "day household step"]:
    days, n = len(is_weekend), population.num_households
    pools = [np.flatnonzero(in_season & ~weekend), np.flatnonzero(in_season & weekend)]
    pick = rng.random((days, n))
    source = np.where(
        is_weekend[:, None],
        pools[1][(pick * len(pools[1])).astype(np.int64)],
        pools[0][(pick * len(pools[0])).astype(np.int64)],
    )
    trace = from_hour(profiles.electricity_kw, config.first_hour)[
        population.profile_kind[None, :], source
    ]
    shift = rng.integers(-config.jitter_steps, config.jitter_steps + 1, (days, n, 1))
    steps = (np.arange(STEPS_PER_DAY) - shift) % STEPS_PER_DAY
    return np.take_along_axis(trace, steps, axis=2) * population.base_scale[None, :, None]


_Part = tuple[np.ndarray, ...]  # day, household, kind, arrival, end, duration, cycle, units, cost


def _part(
    where: tuple[np.ndarray, np.ndarray],
    kind: JobKind,
    arrival: np.ndarray,
    end: np.ndarray,
    duration: np.ndarray,
    cycle: np.ndarray,
    units: np.ndarray,
    population: Population,
) -> _Part:
    day, household = where
    cost = population.delay_cost[household, kind]
    return day, household, np.full(len(day), int(kind)), arrival, end, duration, cycle, units, cost


# mean and spread [h of day] at which a load is ready; households' habit, not published
_WET_ARRIVAL_H = {
    JobKind.WASHING_MACHINE: (17.0, 2.5),
    JobKind.DISHWASHER: (19.5, 1.5),
    JobKind.TUMBLE_DRYER: (18.0, 2.0),
}


def _wet_jobs(
    config: HouseholdConfig, population: Population, num_days: int, rng: np.random.Generator
) -> list[_Part]:
    n, parts = population.num_households, []
    for kind, appliance in zip(list(JobKind)[:3], wet_appliances(), strict=True):
        chance = appliance.cycles_per_year / 365.0 * population.owns[:, kind]
        day, household = np.nonzero(rng.random((num_days, n)) < chance)
        count = len(day)
        mean_h, spread_h = _WET_ARRIVAL_H[kind]
        arrival = _steps_after(config, rng.normal(mean_h, spread_h, count), latest=72)
        cycle_kw = np.zeros(MAX_CYCLE_STEPS)
        cycle_kw[: len(appliance.cycle_kw)] = appliance.cycle_kw
        duration = np.full(count, len(appliance.cycle_kw))
        window = np.round(rng.uniform(*appliance.window_h, count) / STEP_H).astype(np.int64)
        end = np.clip(arrival + np.maximum(window, duration), None, STEPS_PER_DAY)
        cycles = np.tile(cycle_kw, (count, 1))
        where, units = (day, household), np.zeros(count, int)
        parts.append(_part(where, kind, arrival, end, duration, cycles, units, population))
    return parts


def _ev_jobs(
    config: HouseholdConfig, population: Population, num_days: int, rng: np.random.Generator
) -> _Part:
    chance = config.ev_plug_in_probability * population.owns[:, JobKind.EV]
    day, household = np.nonzero(rng.random((num_days, population.num_households)) < chance)
    count = len(day)
    arrival = _steps_after(config, rng.normal(18.2, 1.3, count), latest=60)
    end = _steps_after(config, rng.normal(31.2, 0.7, count), latest=96)
    if config.ev_by_day > 0.0:
        by_day = rng.random(count) < config.ev_by_day
        morning = _steps_after(config, rng.normal(9.0, 1.0, count), latest=60)
        arrival = np.where(by_day, morning, arrival)
        end = np.where(by_day, _steps_after(config, rng.normal(17.0, 1.0, count), latest=96), end)
    end = np.clip(end, arrival + 8, 96)
    mu = np.log(config.ev_energy_mean_kwh) - config.ev_energy_sigma**2 / 2
    energy_kwh = rng.lognormal(mu, config.ev_energy_sigma, count)
    units = np.clip(np.round(energy_kwh / (config.ev_level_kw * STEP_H)), 1, 2 * (end - arrival))
    no_cycle = np.zeros((count, MAX_CYCLE_STEPS))
    units = units.astype(np.int64)
    where = (day, household)
    return _part(where, JobKind.EV, arrival, end, units.copy(), no_cycle, units, population)


def _heat_pump_jobs(
    config: HouseholdConfig,
    profiles: Profiles,
    population: Population,
    calendar_day: np.ndarray,
    rng: np.random.Generator,
) -> _Part:
    """Four blocks of 1.5 h a day that together deliver the day's heat at the day's COP."""
    day, household = np.nonzero(
        np.tile(population.owns[:, JobKind.HEAT_PUMP], (len(calendar_day), 1))
    )
    heat_kwh = from_hour(profiles.space_heat_kw, config.first_hour).sum(axis=-1) * STEP_H
    cop = heat_pump_cop(from_hour(profiles.temperature_c, config.first_hour)).mean(axis=-1)
    daily = heat_kwh[population.building[household], calendar_day[day]] / cop[calendar_day[day]]
    block_kwh = daily * population.heat_scale[household] / HEAT_PUMP_BLOCKS
    most_kw = population.heat_pump_most_kw[household]
    least_kw = np.minimum(0.5, most_kw)
    power_kw = np.clip(block_kwh / (HEAT_PUMP_BLOCK_STEPS * STEP_H), least_kw, most_kw)

    day, household, power_kw = (np.repeat(x, HEAT_PUMP_BLOCKS) for x in (day, household, power_kw))
    count = len(day)
    block = np.tile(np.arange(HEAT_PUMP_BLOCKS), count // HEAT_PUMP_BLOCKS)
    jitter = rng.integers(-config.jitter_steps, config.jitter_steps + 1, count)
    after_noon = np.array([4, 24, 48, 70]) + _steps_from_noon(config)
    nominal = np.sort(after_noon % STEPS_PER_DAY)[block] + jitter
    arrival = np.clip(nominal, 0, STEPS_PER_DAY - 2 * HEAT_PUMP_BLOCK_STEPS)
    slack = np.round(rng.uniform(2.5, 5.0, count) / STEP_H).astype(np.int64)
    end = np.clip(arrival + HEAT_PUMP_BLOCK_STEPS + slack, None, STEPS_PER_DAY)
    cycle = np.zeros((count, MAX_CYCLE_STEPS))
    cycle[:, :HEAT_PUMP_BLOCK_STEPS] = power_kw[:, None]
    duration = np.full(count, HEAT_PUMP_BLOCK_STEPS)
    zeros = np.zeros(count, int)
    return _part(
        (day, household), JobKind.HEAT_PUMP, arrival, end, duration, cycle, zeros, population
    )


def _battery_jobs(config: HouseholdConfig, population: Population, num_days: int) -> _Part:
    """One a day of every battery, from the day's first step to its last."""
    owns = np.tile(population.battery_kwh > 0.0, (num_days, 1))
    day, household = np.nonzero(owns)
    count = len(day)
    zeros, cycle = np.zeros(count, int), np.zeros((count, MAX_CYCLE_STEPS))
    wear = np.full(count, config.battery_wear_eur_per_kwh)
    kind, end = np.full(count, int(JobKind.BATTERY)), np.full(count, STEPS_PER_DAY)
    return day, household, kind, zeros, end, zeros, cycle, zeros, wear


def _steps_from_noon(config: HouseholdConfig) -> int:
    """From the day's first step to noon."""
    return (12 - config.first_hour) % 24 * STEPS_PER_HOUR


def _steps_after(
    config: HouseholdConfig, hour: np.ndarray, *, latest: int
) -> Int[np.ndarray, " job"]:
    """Steps of the day up to an hour counted from midnight; `latest` counts from noon."""
    shift = _steps_from_noon(config)
    latest = latest if latest == STEPS_PER_DAY else min(latest + shift, STEPS_PER_DAY - 8)
    return np.clip(np.round((hour - 12.0) / STEP_H) + shift, 0, latest).astype(np.int64)


def _in_order(parts: list[_Part], population: Population) -> Jobs:
    day, household, kind, arrival, end, duration, cycle, units, cost = (
        np.concatenate([part[column] for part in parts]) for column in range(9)
    )
    order = np.lexsort((kind, arrival, household, day))
    day, household, kind, arrival, end, duration, cycle, units, cost = (
        column[order]
        for column in (day, household, kind, arrival, end, duration, cycle, units, cost)
    )
    arrival = _one_arrival_per_hour(day, household, arrival, end, duration, units)
    return Jobs(
        day=day,
        household=household,
        kind=kind,
        arrival_step=arrival,
        end_step=end,
        duration_steps=duration,
        cycle_kw=cycle,
        units=units,
        delay_cost=cost,
        battery_kwh=np.where(kind == JobKind.BATTERY, population.battery_kwh[household], 0.0),
    )


def _one_arrival_per_hour(
    day: np.ndarray,
    household: np.ndarray,
    arrival: np.ndarray,
    end: np.ndarray,
    duration: np.ndarray,
    units: np.ndarray,
) -> Int[np.ndarray, " job"]:
    """Let a household meet at most one new job an hour: a second one waits for a free hour.

    Deadlines are kept; where a job would no longer fit, `end` moves on with it (never past noon).
    """
    arrival = arrival.copy()
    shortest = np.where(units > 0, -(-units // 3), duration)
    taken: set[tuple[int, int, int]] = set()
    for j in range(len(day)):
        d, h, hour = int(day[j]), int(household[j]), int(arrival[j]) // STEPS_PER_HOUR
        first = hour
        while (d, h, hour) in taken:
            hour += 1
        if hour != first:
            arrival[j] = hour * STEPS_PER_HOUR
            latest = STEPS_PER_DAY - shortest[j]
            if arrival[j] > latest:
                hour = int(latest) // STEPS_PER_HOUR
                while (d, h, hour) in taken:
                    hour -= 1
                arrival[j] = hour * STEPS_PER_HOUR
            end[j] = max(end[j], arrival[j] + shortest[j])
        taken.add((d, h, hour))
    return arrival

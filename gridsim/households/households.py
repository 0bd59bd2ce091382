"""Who lives on the feeder and what a day asks of them: base load, and jobs known only on arrival.

A day runs from noon to noon in 96 steps of 15 minutes. Load convention: power > 0 consumes.
What households decide is in `schedules.py`, what it costs in `game.py`.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float, Int

from gridsim.households.profiles import (
    Appliance,
    Profiles,
    heat_pump_cop,
    load_appliances,
    noon_to_noon,
)
from gridsim.own_data.meters import MeasuredDays
from ss_core.errors import ConfigError

STEPS_PER_DAY = 96
STEP_H = 0.25
STEPS_PER_HOUR = 4
MAX_CYCLE_STEPS = 8
HEAT_PUMP_BLOCKS = 4
HEAT_PUMP_BLOCK_STEPS = 6
HEAT_PUMP_MOST_KW = 4.0

SEASON_MONTHS = {
    "winter": (12, 1, 2),
    "spring": (3, 4, 5),
    "summer": (6, 7, 8),
    "autumn": (9, 10, 11),
}


class JobKind(IntEnum):
    """What a job runs; the order is the order of the kind feature."""

    WASHING_MACHINE = 0
    DISHWASHER = 1
    TUMBLE_DRYER = 2
    EV = 3
    HEAT_PUMP = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdConfig:
    """How a population and its days are drawn; sources in `data/appliances.toml`."""

    season: str = "winter"  # which months the days come from
    ev_ownership: float = 0.9  # share of households with an electric car
    ev_plug_in_probability: float = 0.6  # per day
    ev_energy_mean_kwh: float = 13.0  # per plug-in, lognormal
    ev_energy_sigma: float = 0.5
    ev_level_kw: float = 11.0 / 3.0  # one of three equal power levels
    ev_delay_cost_eur_per_kwh_h: float = 0.005
    heat_pump_ownership: float = 0.4
    heat_pump_delay_cost_eur_per_h: float = 0.02
    wet_delay_cost_eur_per_h: float = 0.03
    delay_cost_sigma: float = 0.45  # lognormal spread between households
    load_scale_sigma: float = 0.35  # lognormal spread of base load between households
    jitter_steps: int = 4  # +- circular shift of base load and nominal times

    def __post_init__(self) -> None:
        if self.season not in SEASON_MONTHS:
            raise ValueError(f"season={self.season!r}: choose one of {', '.join(SEASON_MONTHS)}")
        for name in ("ev_ownership", "ev_plug_in_probability", "heat_pump_ownership"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name}={getattr(self, name)}: a share lies between 0 and 1")
        for name in ("ev_energy_mean_kwh", "ev_level_kw"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name}={getattr(self, name)}: must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """The households of one feeder; private to each but for what the trace makes public."""

    profile_kind: Int[np.ndarray, " household"]  # row of `Profiles.electricity_kw`
    base_scale: Float[np.ndarray, " household"]
    owns: Int[np.ndarray, "household kind"]  # 0/1 per `JobKind`
    delay_cost: Float[np.ndarray, "household kind"]  # EUR/h; EUR/kWh/h for EV
    heat_scale: Float[np.ndarray, " household"]  # of the space-heat trace
    building: Int[np.ndarray, " household"]  # row of `Profiles.space_heat_kw`
    heat_pump_most_kw: Float[np.ndarray, " household"]  # electrical

    @property
    def num_households(self) -> int:
        """How many households there are."""
        return len(self.profile_kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """Flexible jobs, sorted by (day, household, arrival); one row each, known on arrival only."""

    day: Int[np.ndarray, " job"]
    household: Int[np.ndarray, " job"]
    kind: Int[np.ndarray, " job"]
    arrival_step: Int[np.ndarray, " job"]  # first step it may run
    end_step: Int[np.ndarray, " job"]  # it must have run before this step
    duration_steps: Int[np.ndarray, " job"]  # of a fixed cycle; for EVs at one level
    cycle_kw: Float[np.ndarray, "job cycle"]  # fixed cycles; zeros for EVs
    units: Int[np.ndarray, " job"]  # EV: level-steps to charge; 0 otherwise
    delay_cost: Float[np.ndarray, " job"]  # EUR/h, or EUR/kWh/h for EVs

    @property
    def num_jobs(self) -> int:
        """How many jobs there are."""
        return len(self.day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """A batch of independent noon-to-noon days of one population."""

    base_kw: Float[np.ndarray, "day household step"]  # inflexible load
    jobs: Jobs
    calendar_day: Int[np.ndarray, " day"]  # 0..364 of the weather year
    is_weekend: Int[np.ndarray, " day"]
    temperature_c: Float[np.ndarray, "day step"]
    ev_level_kw: float

    @property
    def num_days(self) -> int:
        """How many days there are."""
        return len(self.base_kw)

    @property
    def num_households(self) -> int:
        """How many households there are."""
        return self.base_kw.shape[1]


def draw_population(
    config: HouseholdConfig, profiles: Profiles, num_households: int, rng: np.random.Generator
) -> Population:
    """Draw who lives on the feeder: load type and scale, devices, private delay costs.

    Raises:
        ConfigError: fewer than one household.
    """
    if num_households < 1:
        raise ConfigError(f"households={num_households}: at least one is needed")
    n, kinds = num_households, len(JobKind)
    wet = wet_appliances()
    ownership = np.array(
        [*(a.ownership for a in wet), config.ev_ownership, config.heat_pump_ownership]
    )
    owns = (rng.random((n, kinds)) < ownership).astype(np.int64)
    profile_kind = rng.integers(0, len(profiles.electricity_kw), n)
    # an unrenovated detached house needs 40 kWh a winter day: too much for a heat pump this size
    heated = [k for k, name in enumerate(profiles.building_names) if "old_single" not in name]
    # the traces contain the wet appliances that are jobs here: take their mean energy out again
    yearly_kwh = profiles.electricity_kw.sum(axis=(1, 2)) * STEP_H
    wet_kwh = owns[:, : len(wet)] @ np.array(
        [sum(a.cycle_kw) * STEP_H * a.cycles_per_year for a in wet]
    )
    own_scale = rng.lognormal(0.0, config.load_scale_sigma, n)
    yearly = yearly_kwh[profile_kind] * own_scale
    return Population(
        profile_kind=profile_kind,
        base_scale=own_scale * np.clip(1.0 - wet_kwh / yearly, 0.3, 1.0),
        owns=owns,
        delay_cost=mean_delay_cost(config)
        * rng.lognormal(0.0, config.delay_cost_sigma, (n, kinds)),
        heat_scale=rng.lognormal(0.0, 0.2, n),
        building=rng.choice(heated, n),
        heat_pump_most_kw=np.full(n, HEAT_PUMP_MOST_KW),
    )


def mean_delay_cost(config: HouseholdConfig) -> Float[np.ndarray, " kind"]:
    """EUR/h (cars: EUR/kWh/h) of the mean household: public."""
    cost = np.full(len(JobKind), config.wet_delay_cost_eur_per_h)
    cost[JobKind.EV] = config.ev_delay_cost_eur_per_kwh_h
    cost[JobKind.HEAT_PUMP] = config.heat_pump_delay_cost_eur_per_h
    return cost


def household_names(count: int) -> np.ndarray:
    """Agent ids, in environments and traces alike."""
    return np.array([f"household_{i:03d}" for i in range(count)])


def wet_appliances() -> tuple[Appliance, ...]:
    """Washing machine, dishwasher, tumble dryer of `data/appliances.toml`, in `JobKind` order."""
    by_name = {a.name: a for a in load_appliances()}
    return tuple(by_name[kind.name.lower()] for kind in list(JobKind)[:3])


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
        *_wet_jobs(population, num_days, rng),
        _ev_jobs(config, population, num_days, rng),
        _heat_pump_jobs(config, profiles, population, calendar_day, rng),
    ]
    return Days(
        base_kw=base_kw,
        jobs=_in_order(parts),
        calendar_day=calendar_day,
        is_weekend=is_weekend.astype(np.int64),
        temperature_c=noon_to_noon(profiles.temperature_c)[calendar_day],
        ev_level_kw=config.ev_level_kw,
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
    trace = noon_to_noon(profiles.electricity_kw)[population.profile_kind[None, :], source]
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


def _wet_jobs(population: Population, num_days: int, rng: np.random.Generator) -> list[_Part]:
    n, parts = population.num_households, []
    for kind, appliance in zip(list(JobKind)[:3], wet_appliances(), strict=True):
        chance = appliance.cycles_per_year / 365.0 * population.owns[:, kind]
        day, household = np.nonzero(rng.random((num_days, n)) < chance)
        count = len(day)
        mean_h, spread_h = _WET_ARRIVAL_H[kind]
        arrival = _steps_after_noon(rng.normal(mean_h, spread_h, count), latest=72)
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
    arrival = _steps_after_noon(rng.normal(18.2, 1.3, count), latest=60)
    end = np.clip(_steps_after_noon(rng.normal(31.2, 0.7, count), latest=96), arrival + 8, 96)
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
    heat_kwh = noon_to_noon(profiles.space_heat_kw).sum(axis=-1) * STEP_H
    cop = heat_pump_cop(noon_to_noon(profiles.temperature_c)).mean(axis=-1)
    daily = heat_kwh[population.building[household], calendar_day[day]] / cop[calendar_day[day]]
    block_kwh = daily * population.heat_scale[household] / HEAT_PUMP_BLOCKS
    most_kw = population.heat_pump_most_kw[household]
    least_kw = np.minimum(0.5, most_kw)
    power_kw = np.clip(block_kwh / (HEAT_PUMP_BLOCK_STEPS * STEP_H), least_kw, most_kw)

    day, household, power_kw = (np.repeat(x, HEAT_PUMP_BLOCKS) for x in (day, household, power_kw))
    count = len(day)
    block = np.tile(np.arange(HEAT_PUMP_BLOCKS), count // HEAT_PUMP_BLOCKS)
    jitter = rng.integers(-config.jitter_steps, config.jitter_steps + 1, count)
    nominal = np.array([4, 24, 48, 70])[block] + jitter
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


def _steps_after_noon(hour_of_day: np.ndarray, *, latest: int) -> Int[np.ndarray, " job"]:
    return np.clip(np.round((hour_of_day - 12.0) / STEP_H), 0, latest).astype(np.int64)


def _in_order(parts: list[_Part]) -> Jobs:
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

"""Who lives on the feeder and what a day asks of them: base load, and jobs known only on arrival.

A day runs in 96 steps of 15 minutes from noon to noon, or from another hour, so that what is
shifted lies within it. Load convention: power > 0 consumes; what photovoltaics feed in is below 0.
What households decide is in `schedules.py`, what it costs in `game.py`.
"""

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float, Int

from gridsim.households.batteries import BatteryKind
from gridsim.households.photovoltaics import (
    PV_ORIENTATIONS,
)
from gridsim.households.profiles import (
    Appliance,
    Profiles,
    load_appliances,
)
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
    BATTERY = 5


DRAWN_KINDS = 5  # devices a household may own whatever its roof; a battery comes with one


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdConfig:
    """How a population and its days are drawn; sources in `data/appliances.toml`."""

    season: str = "winter"  # which months the days come from
    first_hour: int = 12  # of a day: noon to noon keeps the night, 6 to 6 the sun in one day
    ev_ownership: float = 0.9  # share of households with an electric car
    ev_plug_in_probability: float = 0.6  # per day
    ev_by_day: float = 0.0  # share of plug-ins by day, from about 9:00 to 17:00
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
    pv_ownership: float = 0.0  # share of households with photovoltaics
    pv_kwp_mean: float = 7.0  # rated power of a roof, lognormal
    pv_kwp_sigma: float = 0.35
    battery_ownership: float = 0.0  # share of those with photovoltaics
    battery_kwh_per_kwp: float = 1.0  # usable capacity per rated power of the roof
    battery_kw_per_kwh: float = 0.5  # highest power per usable capacity, each way
    battery_efficiency: float = 0.9  # there and back
    battery_wear_eur_per_kwh: float = 0.02  # discharged
    battery_delay_eur_per_kwh_h: float = 0.005  # of charging later: clouds may come
    battery_worth_eur_per_kwh: float = 0.07  # of what is left: about what feeding in brings

    def __post_init__(self) -> None:
        if self.season not in SEASON_MONTHS:
            raise ValueError(f"season={self.season!r}: choose one of {', '.join(SEASON_MONTHS)}")
        if self.first_hour not in range(24):
            raise ValueError(f"first_hour={self.first_hour}: an hour of the day, 0 to 23")
        for name in (
            *("ev_ownership", "ev_plug_in_probability", "ev_by_day", "heat_pump_ownership"),
            *("pv_ownership", "battery_ownership"),
        ):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name}={getattr(self, name)}: a share lies between 0 and 1")
        positive = ("ev_energy_mean_kwh", "ev_level_kw", "pv_kwp_mean", "battery_kwh_per_kwp")
        for name in (*positive, "battery_kw_per_kwh"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name}={getattr(self, name)}: must be positive")
        if not 0.0 < self.battery_efficiency <= 1.0:
            raise ValueError(
                f"battery_efficiency={self.battery_efficiency}: above 0, at most 1, there and back"
            )
        if self.battery_ownership > 0.0 and self.pv_ownership == 0.0:
            raise ValueError(
                f"battery_ownership={self.battery_ownership}: a share of households with "
                "photovoltaics, which nobody has; set pv_ownership, too"
            )

    @property
    def battery(self) -> BatteryKind:
        """What all batteries have in common."""
        return BatteryKind(
            one_way=math.sqrt(self.battery_efficiency),
            kw_per_kwh=self.battery_kw_per_kwh,
            worth_eur_per_kwh=self.battery_worth_eur_per_kwh,
            delay_eur_per_kwh_h=self.battery_delay_eur_per_kwh_h,
        )


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
    pv_kwp: Float[np.ndarray, " household"]  # 0: none
    pv_orientation: Int[np.ndarray, " household"]  # row of `PV_ORIENTATIONS`
    battery_kwh: Float[np.ndarray, " household"]  # usable; 0: none

    @property
    def has_pv(self) -> bool:
        """Whether anybody has photovoltaics."""
        return bool((self.pv_kwp > 0.0).any())

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
    delay_cost: Float[np.ndarray, " job"]  # EUR/h; EUR/kWh/h for EVs; wear, EUR/kWh, of batteries
    battery_kwh: Float[np.ndarray, " job"]  # usable capacity; 0: not a battery

    @property
    def num_jobs(self) -> int:
        """How many jobs there are."""
        return len(self.day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """A batch of independent days of one population."""

    base_kw: Float[np.ndarray, "day household step"]  # inflexible load less photovoltaics
    jobs: Jobs
    calendar_day: Int[np.ndarray, " day"]  # 0..364 of the weather year
    is_weekend: Int[np.ndarray, " day"]
    temperature_c: Float[np.ndarray, "day step"]
    ev_level_kw: float
    battery: BatteryKind
    first_hour: int = 12
    pv_kw: Float[np.ndarray, "day household step"] | None = None  # None: nobody has any
    clearness: Float[np.ndarray, " day"] | None = None  # public forecast: share of a clear sky

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
    n, kinds = num_households, DRAWN_KINDS
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
        **_roofs(config, n, rng),
    )


def _roofs(config: HouseholdConfig, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Photovoltaics of each household; nothing is drawn where nobody has any."""
    if config.pv_ownership == 0.0:
        nothing = np.zeros(n)
        orientation = np.zeros(n, dtype=np.int64)
        return {"pv_kwp": nothing, "pv_orientation": orientation, "battery_kwh": nothing}
    owns = rng.random(n) < config.pv_ownership
    mu = np.log(config.pv_kwp_mean) - config.pv_kwp_sigma**2 / 2
    share = np.array([orientation.share for orientation in PV_ORIENTATIONS])
    pv_kwp = np.where(owns, rng.lognormal(mu, config.pv_kwp_sigma, n), 0.0)
    orientation = rng.choice(len(share), n, p=share)
    stores = rng.random(n) < config.battery_ownership
    return {
        "pv_kwp": pv_kwp,
        "pv_orientation": orientation,
        "battery_kwh": np.where(stores, config.battery_kwh_per_kwp * pv_kwp, 0.0),
    }


def mean_delay_cost(config: HouseholdConfig) -> Float[np.ndarray, " kind"]:
    """EUR/h (cars: EUR/kWh/h) of the mean household: public."""
    cost = np.full(DRAWN_KINDS, config.wet_delay_cost_eur_per_h)
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

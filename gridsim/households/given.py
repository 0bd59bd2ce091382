"""A population as the user's files and net have it: devices by household, measured base load."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gridsim.households.households import (
    SEASON_MONTHS,
    STEP_H,
    HouseholdConfig,
    JobKind,
    Population,
    wet_appliances,
)
from gridsim.households.schedules import EV_LEVELS
from gridsim.network.net_devices import NetDevices
from gridsim.own_data.households_file import HouseholdsFile
from gridsim.own_data.meters import MeasuredDays, Meters, measured_households

HOURS_A_YEAR = 8760.0
LEAST_LEFT = 0.3  # of a base load once its wet appliances are taken out


def with_devices(population: Population, file: HouseholdsFile) -> Population:
    """Cars, heat pumps, roofs and batteries as the file says; what it does not say, as drawn."""
    owns = population.owns.copy()
    for kind, values in ((JobKind.EV, file.car_kw), (JobKind.HEAT_PUMP, file.heat_pump_kw)):
        owns[:, kind] = np.where(np.isnan(values), owns[:, kind], values > 0.0)
    said = np.isfinite(file.heat_pump_kw) & (file.heat_pump_kw > 0.0)
    most = np.where(said, file.heat_pump_kw, population.heat_pump_most_kw)
    return replace(
        population,
        owns=owns,
        heat_pump_most_kw=most,
        pv_kwp=np.where(np.isnan(file.pv_kwp), population.pv_kwp, file.pv_kwp),
        battery_kwh=np.where(np.isnan(file.battery_kwh), population.battery_kwh, file.battery_kwh),
    )


def with_net_devices(population: Population, devices: NetDevices) -> Population:
    """Cars, heat pumps, roofs and batteries as the net has them; what it does not say, as drawn."""
    owns = population.owns.copy()
    for kind, values in ((JobKind.EV, devices.car_kw), (JobKind.HEAT_PUMP, devices.heat_pump_kw)):
        owns[:, kind] = np.where(np.isnan(values), owns[:, kind], values > 0.0)
    rated = np.nan_to_num(devices.heat_pump_kw)
    drawn_kwp, drawn_kwh = population.pv_kwp, population.battery_kwh
    return replace(
        population,
        owns=owns,
        heat_pump_most_kw=np.where(rated > 0.0, rated, population.heat_pump_most_kw),
        pv_kwp=np.where(np.isnan(devices.pv_kwp), drawn_kwp, devices.pv_kwp),
        battery_kwh=np.where(np.isnan(devices.battery_kwh), drawn_kwh, devices.battery_kwh),
    )


def with_cars_power(config: HouseholdConfig, given: HouseholdsFile | NetDevices) -> HouseholdConfig:
    """The power that cars charge with, if a file or a net says one."""
    power = given.car_power_kw
    return config if power is None else replace(config, ev_level_kw=power / EV_LEVELS)


def with_meters(
    population: Population,
    meters: Meters,
    season: str,
    rng: np.random.Generator,
    names: Sequence[str] | None = None,
) -> tuple[Population, MeasuredDays, str]:
    """Measured load as base load, without the mean energy of the wet appliances that are jobs.

    Raises:
        InputError: there are too few meters.
    """
    months, households = SEASON_MONTHS[season], population.num_households
    measured, note = measured_households(meters, months, season, households, rng, names)
    each = [sum(a.cycle_kw) * STEP_H * a.cycles_per_year for a in wet_appliances()]
    wet_kwh = population.owns[:, : len(each)] @ np.array(each)
    yearly_kwh = np.maximum(measured.mean_kw() * HOURS_A_YEAR, 1e-9)
    left = np.clip(1.0 - wet_kwh / yearly_kwh, LEAST_LEFT, 1.0)
    note += (
        f"; {100.0 * (1.0 - (left * yearly_kwh).sum() / yearly_kwh.sum()):.0f} % is taken out of "
        "it for washing machines, dishwashers and dryers, which are jobs; cars and heat pumps are "
        "jobs on top of it: where meters contain them, --set population.ev_ownership=0 and "
        "population.heat_pump_ownership=0 leave them out"
    )
    return replace(population, base_scale=left), measured, note

"""What stands behind the loads and generators of a feeder: homes, their devices, everybody else.

SimBench names a profile for each load: H0 are households, L and G farms and trades, Soil and Air
heat pumps, HLS charge points at home, APLS car parks. A net without such names has homes only.
What they draw and generate is in `gridsim.households.other_power`, what of it is a household's in
`net_devices`.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from gridsim.network.feeder import Feeder

HOME = "H0"
HEAT_PUMPS = ("Soil", "Air")
CHARGE_POINTS = ("HLS",)
SUN = "PV"
OF_THE_SUN = (SUN, "PHOTOVOLTAIC", "SOLAR")  # profiles or types of generators, in any case
MOST_ON_A_ROOF_MW = 0.03  # what a house carries; more is a plant of its own


@dataclass(frozen=True, slots=True, eq=False)
class Connections:
    """Positions in `Feeder.load_index` and `Feeder.sgen_index` by what stands behind them."""

    home_load: Int[np.ndarray, " home"]  # house connections: households of the run live there
    device_load: Int[np.ndarray, " device"]  # at a home's bus: a household's, or nobody's
    other_load: Int[np.ndarray, " other"]  # follows its own profile
    roof_sgen: Int[np.ndarray, " roof"]  # of the sun, at a home's bus, of a size that fits a house


def connections_of(feeder: Feeder) -> Connections:
    """Sort loads and generators of a feeder by their profiles, buses and sizes."""
    names = feeder.load_profile or (HOME,) * feeder.load_count
    is_home = np.array([not name or name.startswith(HOME) for name in names])
    is_device = np.array([name.startswith(HEAT_PUMPS + CHARGE_POINTS) for name in names])
    at_home = np.isin(feeder.load_bus, feeder.load_bus[is_home])
    fits = feeder.sgen_p_mw <= MOST_ON_A_ROOF_MW
    fits &= np.array([is_of_the_sun(name) for name in feeder.sgen_profile], dtype=bool)
    return Connections(
        home_load=np.flatnonzero(is_home),
        device_load=np.flatnonzero(is_device & at_home),
        other_load=np.flatnonzero(~is_home & ~(is_device & at_home)),
        roof_sgen=np.flatnonzero(np.isin(feeder.sgen_bus, feeder.load_bus[is_home]) & fits),
    )


def profile_names(feeder: Feeder) -> tuple[set[str], set[str]]:
    """Profiles that loads and generators follow which no household stands for."""
    loads = {feeder.load_profile[at] for at in connections_of(feeder).other_load}
    return loads, set(feeder.sgen_profile)


def is_of_the_sun(name: str) -> bool:
    """Whether a generator's profile or type names photovoltaics."""
    return name.upper().startswith(OF_THE_SUN)


def connection_notes(
    feeder: Feeder,
    roofs: Collection[int] = (),
    storages: Collection[int] = (),
    *,
    by_net: bool = False,
) -> list[str]:
    """Who is connected beside the households of the run, counted.

    `roofs` and `storages` are positions of what became the households'; `by_net`: so did heat pumps
    and charge points.
    """
    found, notes = connections_of(feeder), list[str]()
    if len(found.device_load) and not by_net:
        notes.append(
            f"{_counted(feeder, found.device_load)}: heat pumps and charge points at house "
            "connections draw nothing of their own, the households' heat pumps and cars stand "
            "for them"
        )
    if len(found.other_load):
        kw = 1000 * feeder.load_p_mw[found.other_load].sum()
        notes.append(
            f"{_counted(feeder, found.other_load)}: not households; they are no agents, draw up "
            f"to {kw:.3g} kW by profiles, and count in voltages and loadings, not in costs"
        )
    plants = [at for at in range(len(feeder.sgen_name)) if at not in roofs]
    if plants:
        notes.append(_generator_note(feeder, found, plants))
    idle = [at for at in range(len(feeder.storage_kwh)) if at not in storages]
    if idle:
        kwh = float(feeder.storage_kwh[idle].sum())
        size = f" of {kwh:.3g} kWh in all" if kwh else ""
        word, be = ("storage", "is") if len(idle) == 1 else ("storages", "are")
        notes.append(f"{len(idle)} {word}{size} {be} idle: no household of the run lives with them")
    return notes


def _generator_note(feeder: Feeder, found: Connections, positions: list[int]) -> str:
    count, roofs = len(positions), int(np.isin(positions, found.roof_sgen).sum())
    return (
        f"{count} {'generator' if count == 1 else 'generators'} of "
        f"{1000 * feeder.sgen_p_mw[positions].sum():.3g} kW in all: {roofs} on roofs of house "
        f"connections (up to {1000 * MOST_ON_A_ROOF_MW:g} kW), {count - roofs} plants of their "
        "own; nobody decides on them, and they count in voltages and loadings, not in bills"
    )


def _counted(feeder: Feeder, positions: Int[np.ndarray, " some"]) -> str:
    count = Counter(feeder.load_profile[at] for at in positions)
    listed = ", ".join(f"{number} {name}" for name, number in sorted(count.items()))
    return f"{len(positions)} {'load' if len(positions) == 1 else 'loads'} ({listed})"

"""What stands behind the loads and generators of a feeder: homes, their devices, everybody else.

SimBench names a profile for each load: H0 are households, L and G farms and trades, Soil and Air
heat pumps, HLS charge points at home, APLS car parks. A net without such names has homes only.
What they draw and generate is in `gridsim.households.other_power`.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from gridsim.network.feeder import Feeder

HOME = "H0"
HEAT_PUMPS = ("Soil", "Air")
CHARGE_POINTS = ("HLS",)
SUN = "PV"
MOST_ON_A_ROOF_MW = 0.03  # what a house carries; more is a plant of its own


@dataclass(frozen=True, slots=True, eq=False)
class Connections:
    """Positions in `Feeder.load_index` and `Feeder.sgen_index` by what stands behind them."""

    home_load: Int[np.ndarray, " home"]  # house connections: households of the run live there
    device_load: Int[np.ndarray, " device"]  # at a home's bus, which the household's own replace
    other_load: Int[np.ndarray, " other"]  # follows its own profile
    roof_sgen: Int[np.ndarray, " roof"]  # at a home's bus and of a size that fits a house


def connections_of(feeder: Feeder) -> Connections:
    """Sort loads and generators of a feeder by their profiles, buses and sizes."""
    names = feeder.load_profile or (HOME,) * feeder.load_count
    is_home = np.array([not name or name.startswith(HOME) for name in names])
    is_device = np.array([name.startswith(HEAT_PUMPS + CHARGE_POINTS) for name in names])
    at_home = np.isin(feeder.load_bus, feeder.load_bus[is_home])
    fits = feeder.sgen_p_mw <= MOST_ON_A_ROOF_MW
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


def connection_notes(feeder: Feeder) -> list[str]:
    """Who is connected beside the households of the run, counted."""
    if not feeder.load_profile and not feeder.sgen_name:
        return []
    found, notes = connections_of(feeder), list[str]()
    if len(found.device_load):
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
    if feeder.sgen_name:
        notes.append(_generator_note(feeder, found))
    return notes


def _generator_note(feeder: Feeder, found: Connections) -> str:
    count, roofs = len(feeder.sgen_name), len(found.roof_sgen)
    return (
        f"{count} {'generator' if count == 1 else 'generators'} of "
        f"{1000 * feeder.sgen_p_mw.sum():.3g} kW in all: {roofs} on roofs of house connections (up "
        f"to {1000 * MOST_ON_A_ROOF_MW:g} kW), {count - roofs} plants of their own; nobody decides "
        "on them, and they count in voltages and loadings, not in bills"
    )


def _counted(feeder: Feeder, positions: Int[np.ndarray, " some"]) -> str:
    count = Counter(feeder.load_profile[at] for at in positions)
    listed = ", ".join(f"{number} {name}" for name, number in sorted(count.items()))
    return f"{len(positions)} {'load' if len(positions) == 1 else 'loads'} ({listed})"

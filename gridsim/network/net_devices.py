"""What a net has at its house connections, by household: cars, heat pumps, roofs, storages.

SimBench names heat pumps and charge points by the profiles of loads; generators of the sun and
storages are read in any net. Who stands behind all other loads is in `connections`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from gridsim.network.connections import CHARGE_POINTS, HEAT_PUMPS, Connections, connections_of
from gridsim.network.feeder import Attachment, Feeder

NOT_SAID = np.nan
KW_PER_MW = 1000.0

Placed = Sequence[tuple[int, int, float]]  # position in the net, household, power or energy


@dataclass(frozen=True, slots=True, eq=False)
class NetDevices:
    """What the net gives each household of a run; NaN where it does not say."""

    car_kw: Float[np.ndarray, " household"]  # of its charge point; 0: none
    heat_pump_kw: Float[np.ndarray, " household"]  # its highest power; 0: none
    pv_kwp: Float[np.ndarray, " household"]
    battery_kwh: Float[np.ndarray, " household"]
    roof_sgen: Int[np.ndarray, " roof"]  # positions of generators that became households' roofs
    storage: Int[np.ndarray, " taken"]  # positions of storages that became their batteries
    sentence: str  # for people: what was taken, and what was not

    @property
    def car_power_kw(self) -> float | None:
        """What cars of the run charge with: the most common power, the higher of two as common."""
        powers = Counter(self.car_kw[np.nan_to_num(self.car_kw) > 0.0].tolist())
        return max(powers, key=lambda kw: (powers[kw], kw)) if powers else None


def devices_of(feeder: Feeder, attachment: Attachment) -> NetDevices | None:
    """Hand each household what stands at its bus; None where the net says nothing of devices.

    Of several at a bus each household there has the next; further roofs and storages add to theirs,
    further heat pumps and charge points are nobody's.
    """
    found, count = connections_of(feeder), len(attachment.load_of_household)
    homes = _Homes.of(feeder, attachment)
    roofs = homes.hand_out(feeder.sgen_bus, KW_PER_MW * feeder.sgen_p_mw, found.roof_sgen)
    storing = np.flatnonzero(feeder.storage_kwh > 0.0)
    stored = homes.hand_out(feeder.storage_bus, feeder.storage_kwh, storing)
    is_named = bool(feeder.load_profile)
    if not (is_named or roofs or stored):
        return None
    cars, heat_pumps, nobodys = [], [], list[int]()
    if is_named:
        cars, no_car = _one_each(homes, feeder, found, CHARGE_POINTS)
        heat_pumps, no_pump = _one_each(homes, feeder, found, HEAT_PUMPS)
        nobodys = [*no_car, *no_pump]
    return NetDevices(
        car_kw=_summed(cars, count) if is_named else np.full(count, NOT_SAID),
        heat_pump_kw=_summed(heat_pumps, count) if is_named else np.full(count, NOT_SAID),
        pv_kwp=_summed(roofs, count) if is_named or roofs else np.full(count, NOT_SAID),
        battery_kwh=_summed(stored, count) if is_named or stored else np.full(count, NOT_SAID),
        roof_sgen=np.array([at for at, _, _ in roofs], dtype=np.int64),
        storage=np.array([at for at, _, _ in stored], dtype=np.int64),
        sentence=_sentence(cars if is_named else None, heat_pumps, roofs, stored, len(nobodys)),
    )


@dataclass(frozen=True, slots=True)
class _Homes:
    """Households of a run by the bus of their connection, in their order."""

    at_bus: dict[int, list[int]]

    @classmethod
    def of(cls, feeder: Feeder, attachment: Attachment) -> "_Homes":
        at_bus: dict[int, list[int]] = {}
        for household, load in enumerate(attachment.load_of_household):
            at_bus.setdefault(int(feeder.load_bus[load]), []).append(household)
        return cls(at_bus)

    def hand_out(
        self,
        bus: Int[np.ndarray, " element"],
        size: Float[np.ndarray, " element"],
        positions: Int[np.ndarray, " some"],
    ) -> list[tuple[int, int, float]]:
        """Elements at households' buses, in turn among the households of a bus."""
        taken, handed = Counter[int](), []
        for at in positions.tolist():
            there = self.at_bus.get(int(bus[at]), [])
            if there:
                household = there[taken[int(bus[at])] % len(there)]
                taken[int(bus[at])] += 1
                handed.append((at, household, float(size[at])))
        return handed


def _one_each(
    homes: _Homes, feeder: Feeder, found: Connections, kinds: tuple[str, ...]
) -> tuple[list[tuple[int, int, float]], list[int]]:
    """Loads of these profiles, at most one a household; and those that nobody of the run has."""
    of_kind = [at for at in found.device_load if feeder.load_profile[at].startswith(kinds)]
    power = np.array([_rated_kw(feeder, at) for at in range(feeder.load_count)])
    handed = homes.hand_out(feeder.load_bus, power, np.array(of_kind, dtype=np.int64))
    owned, kept = set[int](), []
    for at, household, kw in handed:
        if household not in owned:
            owned.add(household)
            kept.append((at, household, kw))
    return kept, sorted({*map(int, of_kind)} - {at for at, _, _ in kept})


def _rated_kw(feeder: Feeder, at: int) -> float:
    """What the profile's name says, as HLS_A_11.0; else the load's power."""
    *_, last = feeder.load_profile[at].split("_")
    if feeder.load_profile[at].startswith(CHARGE_POINTS):
        try:
            return float(last)
        except ValueError:
            pass
    return KW_PER_MW * float(feeder.load_p_mw[at])


def _summed(placed: Placed, count: int) -> Float[np.ndarray, " household"]:
    sums = np.zeros(count)
    for _, household, size in placed:
        sums[household] += size
    return sums


def _sentence(
    cars: Placed | None, heat_pumps: Placed, roofs: Placed, stored: Placed, nobodys: int
) -> str:
    parts = list[str]()
    if cars is not None:
        powers = Counter(kw for _, _, kw in cars)
        listed = ", ".join(f"{number} of {kw:g} kW" for kw, number in sorted(powers.items()))
        parts.append(_several(cars, "charge point") + (f" ({listed})" if listed else ""))
        parts.append(_several(heat_pumps, "heat pump"))
    for one, many, placed, unit in (
        ("roof", "roofs", roofs, "kWp"),
        ("battery", "batteries", stored, "kWh"),
    ):
        if placed or cars is not None:
            size = f" of {sum(size for _, _, size in placed):.3g} {unit}" if placed else ""
            parts.append(_several(placed, one, many) + size)
    said = (
        f"households have what the net has at their bus: {', '.join(parts)}; --set devices=drawn "
        "draws their devices (population.*)"
    )
    if cars and len({kw for _, _, kw in cars}) > 1:
        said += "; cars of a run charge with one power, the most common of these"
    if nobodys:
        said += (
            f"; heat pumps and charge points that draw nothing: {nobodys} (no household of the run "
            "lives at their bus, or it has one already)"
        )
    return said


def _several(placed: Placed, one: str, many: str = "") -> str:
    return f"{len(placed)} {one if len(placed) == 1 else many or f'{one}s'}"

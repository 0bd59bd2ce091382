"""What loads and generators of a feeder draw and give of which no household decides.

Each follows a profile: the net file's own where it brings one, else a shape of this package. As in
SimBench, the power in the net is the highest of the year, and profiles are relative to it.
"""

import datetime
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from gridsim.households.households import STEPS_PER_DAY, Days
from gridsim.households.profiles import DAYS, Profiles, from_hour, heat_pump_cop
from gridsim.households.sun import clear_sky_year
from gridsim.network.connections import (
    CHARGE_POINTS,
    HEAT_PUMPS,
    connections_of,
    is_of_the_sun,
)
from gridsim.network.feeder import Feeder
from gridsim.network.net_profiles import NetProfiles

CAR_PARKS = ("APLS",)

Year = Float[np.ndarray, "day step"]


@dataclass(frozen=True, slots=True, eq=False)
class OtherPower:
    """At every terminal of a feeder (loads, then generators); batch = day * 96 + step.

    Power > 0 consumes.
    """

    p_mw: Float[np.ndarray, "batch terminal"]
    q_mvar: Float[np.ndarray, "batch terminal"]
    load_count: int  # of the feeder: the first terminals
    notes: tuple[str, ...]  # whose shapes were taken

    @property
    def load_kw(self) -> Float[np.ndarray, " batch"]:
        """Sum over loads."""
        return 1000.0 * self.p_mw[:, : self.load_count].sum(axis=1)

    @property
    def generation_kw(self) -> Float[np.ndarray, " batch"]:
        """Sum over generators, > 0 gives."""
        return 0.0 - 1000.0 * self.p_mw[:, self.load_count :].sum(axis=1)

    def beside(
        self,
        p_mw: Float[np.ndarray, "some load"],
        q_mvar: Float[np.ndarray, "some load"],
        rows: slice = slice(None),
    ) -> tuple[Float[np.ndarray, "some terminal"], Float[np.ndarray, "some terminal"]]:
        """What all terminals draw where households draw this at loads, in some of the steps."""
        all_p_mw, all_q_mvar = self.p_mw[rows].copy(), self.q_mvar[rows].copy()
        all_p_mw[:, : self.load_count] += p_mw
        all_q_mvar[:, : self.load_count] += q_mvar
        return all_p_mw, all_q_mvar


def other_power(
    feeder: Feeder,
    known: NetProfiles,
    profiles: Profiles,
    days: Days,
    first_day: datetime.date | None,
    roofs: Collection[int] = (),
) -> OtherPower:
    """Power of others on these days.

    Loads follow the calendar of the days that households live, generators that of `first_day` and
    the days after it where it is given. Generators at the positions `roofs` are households' own.
    """
    p_mw = np.zeros((days.num_days, STEPS_PER_DAY, len(feeder.terminal_bus)))
    q_mvar = np.zeros_like(p_mw)
    for at in connections_of(feeder).other_load:
        name = feeder.load_profile[at]
        p = known.load_p.get(name)
        p = load_shape(name, profiles) if p is None else p
        q = known.load_q.get(name, p)
        p_mw[..., at] = feeder.load_p_mw[at] * from_hour(p, days.first_hour)[days.calendar_day]
        q_mvar[..., at] = feeder.load_q_mvar[at] * from_hour(q, days.first_hour)[days.calendar_day]
    when = days.calendar_day if first_day is None else _days_of_year(first_day, days.num_days)
    for at, name in enumerate(feeder.sgen_profile):
        if at in roofs:
            continue
        shape = known.generation.get(name)
        shape = generation_shape(name) if shape is None else shape
        given = from_hour(shape, days.first_hour)[when]
        p_mw[..., feeder.load_count + at] = -feeder.sgen_p_mw[at] * given
        q_mvar[..., feeder.load_count + at] = -feeder.sgen_q_mvar[at] * given
    return OtherPower(
        p_mw=p_mw.reshape(-1, p_mw.shape[-1]),
        q_mvar=q_mvar.reshape(-1, p_mw.shape[-1]),
        load_count=feeder.load_count,
        notes=tuple(
            _notes(feeder, known, first_day, roofs, _highest_kw(p_mw[..., feeder.load_count :]))
        ),
    )


def load_shape(name: str, profiles: Profiles) -> Year:
    """What a profile that the file does not bring looks like, highest value 1."""
    if name.startswith(HEAT_PUMPS):
        year = profiles.space_heat_kw.mean(axis=0) / heat_pump_cop(profiles.temperature_c)
    elif name.startswith(CHARGE_POINTS + CAR_PARKS):
        year = profiles.ev_kw[0]
    else:
        year = profiles.electricity_kw.mean(axis=0)
    return year / year.max()


def generation_shape(name: str) -> Year:
    """The sun for photovoltaics, the full power all year for everything else."""
    if is_of_the_sun(name):
        return clear_sky_year()
    return np.ones((DAYS, STEPS_PER_DAY))


def _days_of_year(first_day: datetime.date, count: int) -> Int[np.ndarray, " day"]:
    return (first_day.timetuple().tm_yday - 1 + np.arange(count)) % DAYS


def _highest_kw(power_mw: Float[np.ndarray, "day step sgen"]) -> float:
    return 1000.0 * float(-power_mw.sum(axis=-1).min(initial=0.0))


def _notes(
    feeder: Feeder,
    known: NetProfiles,
    first_day: datetime.date | None,
    roofs: Collection[int],
    highest_kw: float,
) -> list[str]:
    notes = []
    others = [feeder.load_profile[at] for at in connections_of(feeder).other_load]
    lacking = sorted({name for name in others if name not in known.load_p})
    if lacking:
        notes.append(
            f"profiles that the net does not bring ({', '.join(lacking)}): their loads follow the "
            "mean of this package's households, heat pumps and cars, at most the net's power; "
            "write the net with its profiles for their own"
        )
    plants = {name for at, name in enumerate(feeder.sgen_profile) if at not in roofs}
    if not plants:
        return notes
    generators = plants - known.generation.keys()
    clear = sorted(filter(is_of_the_sun, generators))
    constant = sorted(generators - {*clear})
    when = "the days of the households' load (--date gives it other days)"
    if first_day is not None:
        when = f"{first_day} and the days after it; population.season is the season of the load"
    source = f"a clear sky over the middle of Germany ({', '.join(clear)})" if clear else ""
    if plants & known.generation.keys():
        source = " and ".join(filter(None, ["the net's own profiles", source]))
    if source:
        notes.append(f"generation follows {source} on {when}; its highest is {highest_kw:.3g} kW")
    if constant:
        notes.append(f"generators that give their full power all day: {', '.join(constant)}")
    return notes

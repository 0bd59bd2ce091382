"""How drivers drive, fitted to what everybody may know of days driven: vehicles on each link.

The cross-entropy method (Rubinstein, 1999): guesses are drawn around the best ones of the round
before. Nobody's own travel time is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from ss_core.random_streams import Stream, numpy_generator
from trafficsim.link_model.model import LinkModel, Noise
from trafficsim.link_model.tables import Drivers
from trafficsim.sumo.simulation import Outcome

LEAST = np.array([0.95, 0.0, 1.0, 0.6, 0.5, -2.0, 0.0, 0.2, 0.0, 0.0, 30.0, 0.0, 0.0])
MOST = np.array([1.4, 8.0, 6.0, 2.5, 1.2, 9.0, 3.0, 2.5, 6.0, 2.5, 400.0, 2.0, 0.8])
SPREAD = np.array([0.06, 1.5, 0.5, 0.3, 0.12, 1.5, 0.4, 0.3, 1.2, 0.4, 60.0, 0.3, 0.15])
NOISES = slice(11, 13)  # of speeds and headways: no part of days without driver noise
INERTIA = 0.3  # share of the round before in centre and spread
WIDENING = 1.1  # of the elite's spread, so that it does not collapse too soon
NARROW = 0.3  # of the first spread, where an earlier fit is renewed


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicDays:
    """Days driven, as everybody may know them."""

    routes: Int[ndarray, "day vehicle"]  # that were announced
    vehicles: Float[ndarray, "day interval link"]  # mean number on each watched link; NaN: no data
    links: tuple[str, ...]  # edge ids


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationConfig:
    """How hard the fit tries."""

    rounds: int = 12
    guesses: int = 24
    elite: int = 6
    draws: int = 6  # days of the model for each day driven


@dataclass(frozen=True, slots=True)
class Fit:
    """Drivers, and how far the model is from the days they were fitted to."""

    drivers: Drivers
    error_vehicles: float  # root mean square over links and intervals with traffic


def public_days(
    links: Sequence[str], routes: Int[ndarray, "day vehicle"], outcomes: Sequence[Outcome]
) -> PublicDays:
    """What `outcomes` say of the watched `links`; intervals after a day's end are no data."""
    return PublicDays(routes=routes, vehicles=counted(outcomes), links=tuple(links))


def counted(outcomes: Sequence[Outcome]) -> Float[ndarray, "day interval link"]:
    """Vehicles on the watched links; NaN after a day's end."""
    longest = max(len(each.link_vehicles) for each in outcomes)
    return np.concatenate([padded(each.link_vehicles[None], longest) for each in outcomes])


def padded(
    counts: Float[ndarray, "day interval link"], longest: int
) -> Float[ndarray, "day longest link"]:
    """Days with so many intervals, NaN in those that are missing."""
    days, rows, links = counts.shape
    return np.concatenate([counts, np.full((days, longest - rows, links), np.nan)], axis=1)


def calibrate(
    model: LinkModel,
    days: PublicDays,
    config: CalibrationConfig,
    *,
    seed: int,
    update: int = 0,
    renews: bool = False,
) -> Fit:
    """Drivers under whom the model has as many vehicles on each link as there were.

    Starts at the model's own drivers; `renews` looks near them only, as after a few more days.
    """
    rng = numpy_generator(seed, Stream.CALIBRATION, update)
    noise = model.noise(config.draws, seed, update)
    centre = np.clip(np.array(model.drivers), LEAST, MOST)
    spread = SPREAD * (NARROW if renews else 1.0)
    low, high = LEAST.copy(), MOST.copy()
    if model.is_deterministic:
        low[NOISES] = high[NOISES] = centre[NOISES]
    best, least = centre, np.inf
    for _ in range(config.rounds):
        drawn = rng.standard_normal((config.guesses, len(centre)))
        guesses = np.clip(centre + spread * drawn, low, high)
        guesses[0] = best
        errors = np.array([link_error(model, days, each, noise) for each in guesses])
        elite = guesses[np.argsort(errors, kind="stable")[: config.elite]]
        if errors.min() < least:
            least, best = float(errors.min()), elite[0]
        centre = INERTIA * centre + (1.0 - INERTIA) * elite.mean(axis=0)
        spread = INERTIA * spread + (1.0 - INERTIA) * WIDENING * elite.std(axis=0)
    final = np.clip(centre, low, high)
    error = link_error(model, days, final, noise)
    if error > least:
        final, error = best, least
    return Fit(Drivers(*final.tolist()), error)


def link_error(
    model: LinkModel, days: PublicDays, drivers: Float[ndarray, " parameter"], noise: Noise
) -> float:
    """Root mean square error of vehicles on a link, where anybody is in the model or was there."""
    played = model.with_drivers(Drivers(*drivers.tolist())).play(days.routes, noise)
    position = {edge: at for at, edge in enumerate(model.edge_ids)}
    column = [position[link] for link in days.links]
    expected = played.seconds[:, : days.vehicles.shape[1], column] / model.clock.interval_s
    known = np.isfinite(days.vehicles) & ((days.vehicles > 0.0) | (expected > 0.0))
    apart = np.where(known, expected - days.vehicles, 0.0)
    return float(np.sqrt(np.square(apart).sum() / max(known.sum(), 1)))

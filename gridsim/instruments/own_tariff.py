"""What a tariff charges one household for its own load alone, whatever others do.

Paid is Σ_t Δ [p_t x_t + w_t max(0, -x_t) + s max(0, x_t - θ)] + r max(0, max_t x_t - f).

x is what the household draws net, below 0 where it feeds in. At most e is fed in: what goes beyond
is not generated. Segment and peak count what is drawn.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float, Int

from gridsim.game.tariff import Tariff
from gridsim.households.households import STEP_H, STEPS_PER_DAY, STEPS_PER_HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkCharge:
    """What a network charges for a change of a household's load, on a straight line between points.

    The points are evenly far apart; beyond them the last lines go on.
    """

    present_kw: Float[np.ndarray, " step"]
    more_kw: Float[np.ndarray, " point"]  # than at present, rising
    eur_per_h: Float[np.ndarray, "step point"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTariff:
    """A tariff of the formula in the first lines of this module."""

    price: Float[np.ndarray, " step"]  # p, EUR/kWh
    feed_in_loss: Float[np.ndarray, " step"] | None = None  # w: p less the feed-in tariff; None: 0
    segment_kw: float = 0.0  # θ, not below 0
    segment_eur_per_kwh: float = 0.0  # s, more above θ
    peak_eur_per_kw: float = 0.0  # r
    free_kw: float = 0.0  # f: peak that is paid already, not below 0
    export_limit_kw: float = math.inf  # e: at most this is fed in
    network: NetworkCharge | None = None  # beside all this

    @classmethod
    def hourly(cls, tariff: Tariff) -> Self:
        """The hourly price a_t alone, and the run's feed-in tariff for what is fed in."""
        return cls(price=tariff.base_price, feed_in_loss=tariff.feed_in_loss)


def time_of_use(tariff: Tariff, bands: int) -> OwnTariff:
    """Bands of equally many hours, cheap ones together; each costs the mean of its hours.

    What is fed in brings the run's feed-in tariff, or the band's price where there is none.
    """
    hourly = tariff.base_price.reshape(-1, STEPS_PER_HOUR).mean(axis=1)
    price = np.empty(STEPS_PER_DAY // STEPS_PER_HOUR)
    for hours in np.array_split(np.argsort(hourly, kind="stable"), bands):
        price[hours] = hourly[hours].mean()
    banded = np.repeat(price, STEPS_PER_HOUR)
    lost = tariff.feed_in_loss
    return OwnTariff(
        price=banded, feed_in_loss=None if lost is None else lost + banded - tariff.base_price
    )


def kept_kw(
    tariff: OwnTariff, load_kw: Float[np.ndarray, "*batch step"]
) -> Float[np.ndarray, "*batch step"]:
    """What is drawn, or fed in within the limit."""
    if tariff.export_limit_kw == math.inf:
        return load_kw
    return np.maximum(load_kw, -tariff.export_limit_kw)


def network_eur(
    charge: NetworkCharge,
    load_kw: Float[np.ndarray, "*batch some"],
    steps: Int[np.ndarray, " some"] | None = None,
) -> Float[np.ndarray, "*batch some"]:
    """What the network charges in each of some steps (all of them if none are named)."""
    at = np.arange(STEPS_PER_DAY) if steps is None else steps
    first, apart = charge.more_kw[0], charge.more_kw[1] - charge.more_kw[0]
    place = (load_kw - charge.present_kw[at] - first) / apart
    low = np.clip(np.floor(place).astype(np.int64), 0, len(charge.more_kw) - 2)
    share = place - low
    below, above = charge.eur_per_h[at, low], charge.eur_per_h[at, low + 1]
    return STEP_H * ((1.0 - share) * below + share * above)


def feed_in_eur(
    tariff: OwnTariff, load_kw: Float[np.ndarray, "*batch step"]
) -> Float[np.ndarray, "*batch step"]:
    """Δ w_t max(0, -x_t): what is lost by selling below the price."""
    if tariff.feed_in_loss is None:
        return np.zeros_like(load_kw)
    return STEP_H * tariff.feed_in_loss * np.maximum(-load_kw, 0.0)


def peak_charge_eur(
    tariff: OwnTariff, load_kw: Float[np.ndarray, "*batch step"]
) -> Float[np.ndarray, "*batch"]:
    """r max(0, max_t x_t - f)."""
    return tariff.peak_eur_per_kw * np.maximum(load_kw.max(axis=-1) - tariff.free_kw, 0.0)


def segment_charge_eur(
    tariff: OwnTariff, load_kw: Float[np.ndarray, "*batch step"]
) -> Float[np.ndarray, "*batch"]:
    """Σ_t Δ s max(0, x_t - θ)."""
    above = np.maximum(load_kw - tariff.segment_kw, 0.0).sum(axis=-1)
    return STEP_H * tariff.segment_eur_per_kwh * above


def paid_eur(
    tariff: OwnTariff, load_kw: Float[np.ndarray, "*batch step"]
) -> Float[np.ndarray, "*batch"]:
    """All that the tariff charges for loads."""
    load_kw = kept_kw(tariff, load_kw)
    energy = STEP_H * (load_kw * tariff.price).sum(axis=-1)
    energy += feed_in_eur(tariff, load_kw).sum(axis=-1)
    if tariff.network is not None:
        energy += network_eur(tariff.network, load_kw).sum(axis=-1)
    return energy + segment_charge_eur(tariff, load_kw) + peak_charge_eur(tariff, load_kw)

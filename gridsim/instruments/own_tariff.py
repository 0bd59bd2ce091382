"""What a tariff charges one household for its own load alone, whatever others do.

Paid is Σ_t Δ [p_t x_t + s max(0, x_t - θ)] + r max(0, max_t x_t - f).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gridsim.game.tariff import Tariff
from gridsim.households.households import STEP_H, STEPS_PER_DAY, STEPS_PER_HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTariff:
    """A tariff of the formula in the first lines of this module."""

    price: Float[np.ndarray, " step"]  # p, EUR/kWh
    segment_kw: float = 0.0  # θ
    segment_eur_per_kwh: float = 0.0  # s, more above θ
    peak_eur_per_kw: float = 0.0  # r
    free_kw: float = 0.0  # f: peak that is paid already


def time_of_use(tariff: Tariff, bands: int) -> OwnTariff:
    """Bands of equally many hours, cheap ones together; each costs the mean of its hours."""
    hourly = tariff.base_price.reshape(-1, STEPS_PER_HOUR).mean(axis=1)
    price = np.empty(STEPS_PER_DAY // STEPS_PER_HOUR)
    for hours in np.array_split(np.argsort(hourly, kind="stable"), bands):
        price[hours] = hourly[hours].mean()
    return OwnTariff(price=np.repeat(price, STEPS_PER_HOUR))


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
    energy = STEP_H * (load_kw * tariff.price).sum(axis=-1)
    return energy + segment_charge_eur(tariff, load_kw) + peak_charge_eur(tariff, load_kw)

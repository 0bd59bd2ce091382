"""What electricity costs: hourly shape, a term that grows with demand, and the feeder charge.

All knobs in one frozen config. Prices are per household: `l` is the mean load of a household in kW,
so a tariff means the same for 5 households and for 500.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gridsim.households.households import STEP_H, STEPS_PER_HOUR
from gridsim.households.profiles import load_tariff_shape
from ss_core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffConfig:
    """Knobs of the tariff; defaults make a social dilemma (gamma = 0 takes it away)."""

    shape: str = "default"  # hourly prices, a file under data/tariffs
    spread: float = 1.25  # factor on the shape's deviations from its mean
    beta: float = 0.01  # EUR/kWh per kW/household of mean load
    gamma: float = 0.5  # EUR/kWh per kW/household above kappa: the feeder charge
    kappa: float = 1.1  # kW/household the feeder carries without charge
    kappa_feed_in: float = math.inf  # likewise of reverse flow; inf: it is never charged
    feed_in: float | None = None  # EUR/kWh for what a household feeds in; None: the price a_t
    surcharge: float = 0.0  # EUR/kWh on every price: fees and taxes that an exchange's lack

    def __post_init__(self) -> None:
        for name in ("spread", "beta", "gamma", "kappa", "surcharge"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0.0):
                raise ValueError(f"{name}={value}: must be finite and not negative")
        if not self.kappa_feed_in >= 0.0:
            raise ValueError(f"kappa_feed_in={self.kappa_feed_in}: must not be negative")
        if self.feed_in is not None and not np.isfinite(self.feed_in):
            raise ValueError(f"feed_in={self.feed_in}: must be finite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """A tariff ready for arithmetic."""

    base_price: Float[np.ndarray, " step"]  # a_t, EUR/kWh, from the day's first step on
    beta: float
    gamma: float
    kappa: float
    kappa_feed_in: float = math.inf
    feed_in_loss: Float[np.ndarray, " step"] | None = None  # a_t less the feed-in tariff; None: 0

    def excess_kw(self, mean_kw: np.ndarray) -> np.ndarray:
        """kW/household, any shape, beyond what the feeder carries, in either direction."""
        over = np.maximum(mean_kw - self.kappa, 0.0)
        if self.kappa_feed_in == math.inf:
            return over
        return over + np.maximum(-mean_kw - self.kappa_feed_in, 0.0)

    def feed_in_eur(self, load_kw: np.ndarray) -> np.ndarray:
        """What households lose per step by selling at the feed-in tariff what they feed in.

        `load_kw` ends with the axis of steps; the result has its shape.
        """
        if self.feed_in_loss is None:
            return np.zeros_like(load_kw)
        return STEP_H * self.feed_in_loss * np.maximum(-load_kw, 0.0)


def build_tariff(
    config: TariffConfig, first_hour: int = 12, given: Float[np.ndarray, " step"] | None = None
) -> Tariff:
    """The tariff of a config: 24 hourly prices turned to 96 steps from `first_hour` on.

    `given` prices, already from that hour on, take the place of the config's shape.

    Raises:
        ConfigError: the feed-in tariff is above the price, so that feeding in and buying pay.
    """
    if given is None:
        hourly = _spread(np.asarray(load_tariff_shape(config.shape).price_eur_per_kwh), config)
        price = np.roll(np.repeat(hourly, STEPS_PER_HOUR), -first_hour * STEPS_PER_HOUR)
    else:
        price = _spread(given, config)
    if config.feed_in is not None and config.feed_in > price.min():
        raise ConfigError(
            f"tariff.feed_in={config.feed_in}: above the lowest price of the day, "
            f"{price.min():.3g} EUR/kWh, so that whoever buys then and feeds in earns: set a lower "
            "one, or a tariff.surcharge on prices"
        )
    return Tariff(
        base_price=price,
        beta=config.beta,
        gamma=config.gamma,
        kappa=config.kappa,
        kappa_feed_in=config.kappa_feed_in,
        feed_in_loss=None if config.feed_in is None else price - config.feed_in,
    )


def _spread(price: Float[np.ndarray, " time"], config: TariffConfig) -> Float[np.ndarray, " time"]:
    """Prices with the config's spread around their mean, and its surcharge."""
    return price.mean() + config.spread * (price - price.mean()) + config.surcharge

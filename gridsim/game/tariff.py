"""What electricity costs: hourly shape, a term that grows with demand, and the feeder charge.

All knobs in one frozen config. Prices are per household: `l` is the mean load of a household in kW,
so a tariff means the same for 5 households and for 500.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gridsim.households.households import STEPS_PER_DAY, STEPS_PER_HOUR
from gridsim.households.profiles import load_tariff_shape


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffConfig:
    """Knobs of the tariff; defaults make a social dilemma (gamma = 0 takes it away)."""

    shape: str = "default"  # hourly prices, a file under data/tariffs
    spread: float = 1.25  # factor on the shape's deviations from its mean
    beta: float = 0.01  # EUR/kWh per kW/household of mean load
    gamma: float = 0.5  # EUR/kWh per kW/household above kappa: the feeder charge
    kappa: float = 1.1  # kW/household the feeder carries without charge
    surcharge: float = 0.0  # EUR/kWh on every price: fees and taxes that an exchange's lack

    def __post_init__(self) -> None:
        for name in ("spread", "beta", "gamma", "kappa", "surcharge"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0.0):
                raise ValueError(f"{name}={value}: must be finite and not negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """A tariff ready for arithmetic."""

    base_price: Float[np.ndarray, " step"]  # a_t, EUR/kWh, noon to noon
    beta: float
    gamma: float
    kappa: float


def build_tariff(config: TariffConfig, given: Float[np.ndarray, " step"] | None = None) -> Tariff:
    """The tariff of a config: 24 hourly prices turned to 96 steps from noon to noon.

    `given` prices, already from noon to noon, take the place of the config's shape.
    """
    if given is None:
        hourly = _spread(np.asarray(load_tariff_shape(config.shape).price_eur_per_kwh), config)
        price = np.roll(np.repeat(hourly, STEPS_PER_HOUR), -STEPS_PER_DAY // 2)
    else:
        price = _spread(given, config)
    return Tariff(base_price=price, beta=config.beta, gamma=config.gamma, kappa=config.kappa)


def _spread(price: Float[np.ndarray, " time"], config: TariffConfig) -> Float[np.ndarray, " time"]:
    """Prices with the config's spread around their mean, and its surcharge."""
    return price.mean() + config.spread * (price - price.mean()) + config.surcharge

"""Free parameters of the instruments, by public rules or chosen on population seeds 0 to 4."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentRules:
    """What each instrument charges, guarantees and keeps back.

    Sources. Capacity tariff: Fluvius (Flanders, 2023), 40.4 EUR per kW and year on average, 3.37 a
    month, and at least 2.5 kW. § 14a: `dimming.py`. Module 1 of BNetzA BK8-22/010-A, a year: 80 EUR
    and 20 % of 3,750 kWh at the network's energy price, here 0.10 EUR/kWh as in `data/tariffs`.
    The segment is the cheapest for all of 2 to 6 kW and 0.05 to 0.40 EUR/kWh, the signal of valley
    filling of 0.05 to 2, both on seeds 0 to 4.
    """

    bands: int = 3  # of the time-of-use tariff: equally many hours each
    capacity_eur_per_kw_day: float = 40.4 / 365.0
    capacity_eur_per_kw_month: float = 3.37
    capacity_least_kw: float = 2.5  # peak of a month that is paid for in any case
    days_per_month: int = 30
    segment_kw: float = 3.0  # of a household, above which energy costs more
    segment_eur_per_kwh: float = 0.40  # more above it
    reduction_eur_per_year: float = 80.0 + 0.2 * 3750.0 * 0.10  # § 14a, module 1
    reserve: float = 0.05  # of the transformer, which the operator leaves to losses
    valley_eur_per_kwh_per_kw: float = 0.5  # signal of valley filling per kW of mean load
    valley_rounds: int = 50  # at most
    network_loading: float = 0.9  # of lines and transformers, above which a kW costs: our choice
    network_eur_per_kwh: float = 2.0  # more for each 100 % above it
    network_low_pu: float = 0.95  # voltages outside cost, too
    network_high_pu: float = 1.05
    network_voltage_eur_per_h: float = 1000.0  # per p.u. squared and bus
    network_rounds: int = 3  # in which all households answer
    export_share: float = 0.6  # of a roof's rated power that it may feed in: `export_limit.py`
    undelivered_eur_per_kwh: float = 1.0  # comfort lost: above fast charging or heating by current

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0.0):
                raise ValueError(f"{name}={value}: must be finite and not negative")
        for name in ("days_per_month", "valley_rounds", "network_rounds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: at least 1")
        if not 1 <= self.bands <= 24:
            raise ValueError(f"bands={self.bands}: between 1 and 24, one an hour")
        if self.reserve >= 1.0:
            raise ValueError(f"reserve={self.reserve}: a share below 1")
        if self.export_share > 1.0:
            raise ValueError(f"export_share={self.export_share}: a share, at most 1")

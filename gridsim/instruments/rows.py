"""Every instrument by name, on the same days. Importing this module imports numba."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from gridsim.game.tariff import Tariff
from gridsim.households.households import STEP_H, Days
from gridsim.instruments.config import InstrumentRules
from gridsim.instruments.connection_limit import first_come_outcome
from gridsim.instruments.dimming import dimming_outcome
from gridsim.instruments.export_limit import (
    export_limit_outcome,
    export_limit_spot_outcome,
    export_limits_kw,
)
from gridsim.instruments.network_charge import Network, network_charge_outcome
from gridsim.instruments.outcome import METER_BYTES, Outcome
from gridsim.instruments.tariffs import (
    capacity_daily_outcome,
    capacity_monthly_outcome,
    segmented_outcome,
    spot_outcome,
    time_of_use_outcome,
)
from gridsim.instruments.valley_filling import valley_filling_outcome
from gridsim.references.config import SearchConfig
from gridsim.references.references import pigou


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What instruments are played on."""

    days: Days
    tariff: Tariff  # of the game that is scored
    limit_kw: Float[np.ndarray, "day step"]  # of households together, what the operator holds
    controllable: Bool[np.ndarray, " household"]  # under § 14a: a wallbox, a battery above 4.2 kW
    network: Network
    pv_kwp: Float[np.ndarray, " household"]  # 0: no roof
    rules: InstrumentRules
    search: SearchConfig


def pigou_outcome(setting: Setting) -> Outcome:
    """Selfish best responses where the tariff charges marginal social cost.

    Paid are a + 2 β l + 2 γ ((l - κ)₊ - (-l - κ')₊) per kWh; by the instrument what exceeds the
    energy price.
    """
    tariff = setting.tariff
    schedule = pigou(setting.days, tariff, setting.search)
    costs = schedule.costs(tariff)
    mean_kw = schedule.load_kw.mean(axis=1)
    over_kw = tariff.excess_kw(mean_kw) * np.sign(mean_kw)  # below 0 where reverse flow is charged
    toll = tariff.beta * mean_kw + 2 * tariff.gamma * over_kw
    tolls = STEP_H * np.einsum("dt,dnt->dn", toll, schedule.load_kw)
    return Outcome.of(
        schedule,
        paid_eur=costs.bill_eur + tolls,
        instrument_eur=tolls,
        revealed_bytes=METER_BYTES,
    )


RULES: dict[str, Callable[[Setting], Outcome]] = {
    "time_of_use": lambda s: time_of_use_outcome(s.days, s.tariff, s.rules),
    "spot": lambda s: spot_outcome(s.days, s.tariff),
    "capacity_daily": lambda s: capacity_daily_outcome(s.days, s.tariff, s.rules),
    "capacity_monthly": lambda s: capacity_monthly_outcome(s.days, s.tariff, s.rules),
    "segmented": lambda s: segmented_outcome(s.days, s.tariff, s.rules),
    "dimming": lambda s: dimming_outcome(
        s.days, s.tariff, s.limit_kw, s.controllable, s.rules, hourly_prices=False
    ),
    "dimming_spot": lambda s: dimming_outcome(
        s.days, s.tariff, s.limit_kw, s.controllable, s.rules, hourly_prices=True
    ),
    "first_come": lambda s: first_come_outcome(s.days, s.tariff, s.limit_kw, s.rules),
    "network_charge": lambda s: network_charge_outcome(s.days, s.tariff, s.network, s.rules),
    "export_limit": lambda s: export_limit_outcome(
        s.days, s.tariff, export_limits_kw(s.pv_kwp, s.rules.export_share)
    ),
    "export_limit_spot": lambda s: export_limit_spot_outcome(
        s.days, s.tariff, export_limits_kw(s.pv_kwp, s.rules.export_share)
    ),
    "valley_filling": lambda s: valley_filling_outcome(s.days, s.tariff, s.rules),
    "pigou": pigou_outcome,
}


def outcomes(names: Sequence[str], setting: Setting) -> Iterator[tuple[str, Outcome]]:
    """Each named instrument with what came of it."""
    for name in names:
        yield name, RULES[name](setting)

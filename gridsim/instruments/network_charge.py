"""A charge that follows the network: hourly prices, and what a kW costs it at the own bus.

Losses at the price of the hour, and what lines, transformers and voltages cost beyond limits
(`powerflow.network_cost`), from power flows of the day as planned. The operator plans with the
households the day before: one after the other answers what changes of its load would cost, and
charges follow the new power flow. Paid is the charge of a kW at the end; who relieves is paid.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from gridsim.game.joint_schedules import Schedule
from gridsim.game.tariff import Tariff
from gridsim.households.households import STEP_H, STEPS_PER_DAY, Days
from gridsim.households.other_power import OtherPower
from gridsim.instruments.best_response import best_response
from gridsim.instruments.config import InstrumentRules
from gridsim.instruments.outcome import METER_BYTES, Outcome, waiting_eur
from gridsim.instruments.own_tariff import NetworkCharge, OwnTariff, paid_eur
from gridsim.network.feeder import Attachment, Feeder
from gridsim.powerflow.loads import terminal_power
from gridsim.powerflow.network_cost import (
    NetworkLimits,
    increments_eur_per_h,
    marginal_eur_per_kwh,
)
from gridsim.powerflow.sensitivities import Sensitivities, sensitivities
from gridsim.powerflow.solve import PowerFlow, solve_power_flow
from gridsim.references.references import asap

MOST_LEVELS = 6  # of a car, each way, that a household looks at: 22 kW


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The feeder of a run with everybody on it."""

    feeder: Feeder
    attachment: Attachment
    reactive_share: float  # Q / P = tan φ of households
    others: OtherPower | None = None

    def solved(
        self, days: Days, d: int, load_kw: Float[np.ndarray, "household step"]
    ) -> tuple[PowerFlow, np.ndarray, np.ndarray]:
        """Power flows of a day, and what terminals draw, MW and Mvar."""
        rows = slice(d * STEPS_PER_DAY, (d + 1) * STEPS_PER_DAY)
        p_mw, q_mvar = terminal_power(
            self.attachment,
            load_kw.T,
            None if days.pv_kw is None else days.pv_kw[d].T,
            self.reactive_share,
        )
        if self.others is not None:
            p_mw, q_mvar = self.others.beside(p_mw, q_mvar, rows)
        return solve_power_flow(self.feeder, p_mw, q_mvar), p_mw, q_mvar


def limits_of(rules: InstrumentRules) -> NetworkLimits:
    """Where the charge begins."""
    return NetworkLimits(
        loading=rules.network_loading,
        loading_eur_per_kwh=rules.network_eur_per_kwh,
        low_pu=rules.network_low_pu,
        high_pu=rules.network_high_pu,
        voltage_eur_per_h=rules.network_voltage_eur_per_h,
    )


def network_charge_outcome(
    days: Days, tariff: Tariff, network: Network, rules: InstrumentRules
) -> Outcome:
    """Households in turn, `network_rounds` times; paid are the charges of the last power flow."""
    jobs, job_kw = days.jobs, asap(days).job_kw.copy()
    load_kw = Schedule.of_jobs("network_charge", days, job_kw, waiting_eur(days, job_kw)).load_kw
    paid, charge = np.zeros(load_kw.shape[:2]), np.zeros(load_kw.shape[:2])
    for d in range(days.num_days):
        charges = _Charges(days, d, tariff, network, limits_of(rules))
        for _ in range(rules.network_rounds):
            charges.look_again(load_kw[d])
            for i in range(days.num_households):
                rows = np.flatnonzero((jobs.day == d) & (jobs.household == i))
                if not len(rows):
                    continue
                own = charges.own_tariff(load_kw[d], i)
                answer = best_response(days, rows, days.base_kw[d, i], job_kw[rows], own)
                job_kw[rows], load_kw[d, i] = answer, days.base_kw[d, i] + answer.sum(axis=0)
        charges.look_again(load_kw[d])
        kw_eur = charges.of_a_kw(load_kw[d])
        for i in range(days.num_households):
            own = replace(OwnTariff.hourly(tariff), price=tariff.base_price + kw_eur[:, i])
            paid[d, i] = paid_eur(own, load_kw[d, i : i + 1])[0]
        charge[d] = STEP_H * np.einsum("nt,tn->n", load_kw[d], kw_eur)
    schedule = Schedule.of_jobs("network_charge", days, job_kw, waiting_eur(days, job_kw))
    return Outcome.of(
        schedule,
        paid_eur=paid,
        instrument_eur=charge,
        revealed_bytes=METER_BYTES * (1.0 + rules.network_rounds),
    )


class _Charges:
    """Charges of one day: sensitivities of the last look, limits by the loads of the moment."""

    def __init__(
        self, days: Days, d: int, tariff: Tariff, network: Network, limits: NetworkLimits
    ) -> None:
        self._days, self._d, self._tariff = days, d, tariff
        self._network, self._limits = network, limits
        self._known: Sensitivities | None = None

    def look_again(self, load_kw: Float[np.ndarray, "household step"]) -> None:
        """Solve for sensitivities, which change little with what one household does."""
        flow, p_mw, q_mvar = self._network.solved(self._days, self._d, load_kw)
        share = self._network.reactive_share
        self._known = sensitivities(self._network.feeder, p_mw, q_mvar, flow, share)

    def own_tariff(self, load_kw: Float[np.ndarray, "household step"], household: int) -> OwnTariff:
        """The hourly price, and what changes of the household's load cost at its bus."""
        found, flow = self._at(load_kw)
        at = int(self._network.attachment.load_of_household[household])
        more_kw = self._days.ev_level_kw * np.arange(-MOST_LEVELS, MOST_LEVELS + 1)
        price, feeder = self._tariff.base_price, self._network.feeder
        eur = increments_eur_per_h(
            feeder, flow, found, price, self._limits, load=at, more_kw=more_kw
        )
        charge = NetworkCharge(
            present_kw=load_kw[household].copy(), more_kw=more_kw, eur_per_h=np.nan_to_num(eur)
        )
        return replace(OwnTariff.hourly(self._tariff), network=charge)

    def of_a_kw(
        self, load_kw: Float[np.ndarray, "household step"]
    ) -> Float[np.ndarray, "step household"]:
        """What a kWh more costs at each household's bus, EUR; 0 in unsolved steps."""
        found, flow = self._at(load_kw)
        price, feeder = self._tariff.base_price, self._network.feeder
        more = marginal_eur_per_kwh(feeder, flow, found, price, self._limits)
        return np.nan_to_num(more[:, self._network.attachment.load_of_household])

    def _at(self, load_kw: Float[np.ndarray, "household step"]) -> tuple[Sensitivities, PowerFlow]:
        assert self._known is not None
        return self._known, self._network.solved(self._days, self._d, load_kw)[0]

"""Is this scenario a social dilemma? Numbers that say so, computed from the references.

A dilemma needs a gap between equilibrium and optimum, others whose cooperation helps whatever one
does oneself, and a gain from defecting where all others cooperate.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gridsim.game.joint_schedules import Schedule
from gridsim.game.tariff import Tariff
from gridsim.households.households import STEP_H, Days
from gridsim.references.config import SearchConfig
from gridsim.references.references import References, deviation_gains, random_schedule
from ss_core.random_streams import Stream, numpy_generator
from ss_core.statistics import SMALLEST_GAP

NOTICEABLE_EUR = 1e-6
CT_PER_EUR = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DilemmaCertificate:
    """Evidence for a social dilemma over a batch of days; costs are per household and day."""

    nash_cost_eur: float
    optimum_cost_eur: float
    lower_bound_eur: float
    nash_spread_percent: float  # highest minus lowest mean cost of the equilibria found
    epsilon_ct: float  # largest gain found of one household leaving the equilibrium, any day
    epsilon_bound_ct: float  # no household can gain more, any day
    better_off_share: float  # of households: cheaper at the optimum than at the equilibrium
    premise_cases: int  # sampled (day, household, own schedule)
    premise_share: float  # of cases: others at the optimum beat others at the equilibrium
    premise_mean_gain_ct: float
    premise_min_gain_ct: float
    tempted_share: float  # of households with jobs: gain by defecting from the optimum
    temptation_mean_ct: float  # over households with jobs
    temptation_max_ct: float

    @property
    def gap(self) -> float:
        """(C_NE - C_OPT) / C_OPT."""
        return self.nash_cost_eur / self.optimum_cost_eur - 1.0

    @property
    def optimum_uncertainty(self) -> float:
        """(C_OPT - lower bound) / C_OPT: the true optimum is no further below."""
        return 1.0 - self.lower_bound_eur / self.optimum_cost_eur

    @property
    def no_dilemma(self) -> bool:
        """Whether selfish play is so near the optimum that a share of the gap means nothing."""
        return self.gap < SMALLEST_GAP


def certify_dilemma(
    days: Days,
    tariff: Tariff,
    references: References,
    *,
    config: SearchConfig | None = None,
    samples_per_household: int = 4,
) -> DilemmaCertificate:
    """Sample own schedules (seeded by the config) and search defections on every day."""
    config = config or SearchConfig()
    at_nash = references.nash.costs(tariff)
    at_optimum = references.optimum.costs(tariff)
    household_days = at_nash.cost_eur.size
    spread = np.ptp(references.nash_cost_eur.sum(axis=1)) / at_nash.social_cost_eur.sum()
    help_ct = CT_PER_EUR * help_of_others_eur(
        days,
        tariff,
        references,
        samples_per_household,
        numpy_generator(config.seed, Stream.OWN_SCHEDULES),
    )
    temptation_ct = CT_PER_EUR * _temptations_eur(days, tariff, references.optimum, config)
    return DilemmaCertificate(
        nash_cost_eur=float(at_nash.social_cost_eur.sum() / household_days),
        optimum_cost_eur=float(at_optimum.social_cost_eur.sum() / household_days),
        lower_bound_eur=float(references.lower_bound_eur.sum() / household_days),
        nash_spread_percent=float(100.0 * spread),
        epsilon_ct=float(CT_PER_EUR * references.epsilon_eur.max()),
        epsilon_bound_ct=float(CT_PER_EUR * references.epsilon_bound_eur.max()),
        better_off_share=float((at_optimum.cost_eur < at_nash.cost_eur).mean()),
        premise_cases=help_ct.size,
        premise_share=float((help_ct > 0).mean()),
        premise_mean_gain_ct=float(help_ct.mean()),
        premise_min_gain_ct=float(help_ct.min()),
        tempted_share=float((temptation_ct > CT_PER_EUR * NOTICEABLE_EUR).mean()),
        temptation_mean_ct=float(temptation_ct.mean()),
        temptation_max_ct=float(temptation_ct.max()),
    )


def help_of_others_eur(
    days: Days,
    tariff: Tariff,
    references: References,
    samples: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "sample day household"]:
    """J_i(x_i, others at the equilibrium) - J_i(x_i, others at the optimum) for random own x_i."""
    gains = []
    for _ in range(samples):
        own_kw = random_schedule(days, rng).load_kw
        at_nash = _cost_beside_eur(own_kw, references.nash.load_kw, tariff)
        gains.append(at_nash - _cost_beside_eur(own_kw, references.optimum.load_kw, tariff))
    return np.stack(gains)


def _cost_beside_eur(
    own_kw: Float[np.ndarray, "day household step"],
    joint_kw: Float[np.ndarray, "day household step"],
    tariff: Tariff,
) -> Float[np.ndarray, "day household"]:
    """Bill and charge of each household that draws `own_kw` while the others follow `joint_kw`."""
    mean_kw = (joint_kw.sum(axis=1, keepdims=True) - joint_kw + own_kw) / joint_kw.shape[1]
    bill = ((tariff.base_price + tariff.beta * mean_kw) * own_kw).sum(axis=-1)
    over = (tariff.excess_kw(mean_kw) ** 2).sum(axis=-1)
    cost = STEP_H * (bill + tariff.gamma * over)
    return cost if tariff.feed_in_loss is None else cost + tariff.feed_in_eur(own_kw).sum(axis=-1)


def _temptations_eur(
    days: Days, tariff: Tariff, optimum: Schedule, config: SearchConfig
) -> Float[np.ndarray, " case"]:
    found, _ = deviation_gains(days, tariff, optimum, config)
    has_jobs = np.zeros(found.shape, dtype=bool)
    has_jobs[days.jobs.day, days.jobs.household] = True
    return found[has_jobs]

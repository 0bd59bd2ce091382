"""Named choices: the regimes of suggestion sharing, and the published hyper-parameters.

What a regime is for: with large ρ, suggestions stay inside the simplex and the pull on a policy is
the gradient of the collective return (`gradient`: prices, congestion); with small ρ and large ρ'
they go to a corner and are obeyed (`norm`: games whose collective landscape is deceptive). `paper`
is Eq. 16 as printed, with one ρ for both.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from ss_core.errors import ConfigError
from ss_core.exchange.channel import ExchangeConfig
from ss_core.learning.learner import LearnerConfig
from ss_core.objective.objective import ObjectiveWeights

Regime = Literal["paper", "gradient", "norm"]

REGIMES: dict[Regime, ObjectiveWeights] = {
    "paper": ObjectiveWeights(rho=0.1, rho_follow=0.1),
    "gradient": ObjectiveWeights(rho=0.1, rho_follow=0.1, surrogate="additive", indicators=False),
    "norm": ObjectiveWeights(rho=0.1, rho_follow=1.0, surrogate="additive", follow="tv"),
}

EQUAL_COSTS = -135.0  # `svo_angle` where rewards are costs: all below 0, and alike
NUM_NEIGHBOURS = "learner.exchange.num_neighbours"


def refuse_idle_neighbours(
    exchange: ExchangeConfig, overrides: Mapping[str, Any], instead: str
) -> None:
    """Refuse a number of neighbours that somebody gave and the protocol does not look at.

    `instead` says what to give.

    Raises:
        ConfigError: there is such a number.
    """
    given = NUM_NEIGHBOURS in overrides
    changed = exchange.num_neighbours != ExchangeConfig().num_neighbours
    if (given or changed) and exchange.protocol != "random":
        raise ConfigError(
            f"{NUM_NEIGHBOURS}: has no effect under learner.exchange.protocol="
            f"{exchange.protocol!r}; {instead}"
        )


def in_regime(config: LearnerConfig, regime: Regime) -> LearnerConfig:
    """The learner with the objective of a regime; ρ' grows with (N - 1) / m under `gradient`."""
    weights = replace(
        REGIMES[regime], clip_eps=config.objective.clip_eps, ent_coef=config.objective.ent_coef
    )
    kappa = {"paper": "mean", "gradient": config.kappa, "norm": "ema"}[regime]
    return replace(
        config,
        objective=weights,
        kappa=kappa,  # type: ignore[arg-type]
        scale_rho_follow=regime == "gradient",
    )


def paper_learner() -> LearnerConfig:
    """Tables 1 and 2 (Cooperative Predation) and Algorithm 1, literally: one episode an update."""
    return LearnerConfig(old_policy="literal", agent_order="sequential")

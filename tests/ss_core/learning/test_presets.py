"""Presets and regimes say what the paper and the regimes say."""

from dataclasses import replace
from typing import get_args

import pytest

from ss_core.learning.learner import LearnerConfig
from ss_core.learning.presets import REGIMES, Regime, in_regime, paper_learner


def test_the_paper_preset_is_tables_1_and_2() -> None:
    config = paper_learner()
    assert (config.hidden, config.critic_hidden) == ((128, 64), (128, 64))
    assert config.actor_lr == config.suggestion_lr == config.critic_lr == 1e-4
    assert (config.gamma, config.gae_lambda, config.num_epochs) == (0.99, 0.98, 3)
    assert config.architecture == "independent"  # N² policies
    assert config.exchange.protocol == "all"
    assert config.num_envs == 1
    assert (config.old_policy, config.agent_order) == ("literal", "sequential")


def test_the_paper_regime_has_one_rho() -> None:
    weights = in_regime(LearnerConfig(), "paper").objective
    assert weights.rho == weights.rho_follow
    assert weights.indicators


def test_norm_obeys_and_gradient_pulls() -> None:
    norm, gradient = REGIMES["norm"], REGIMES["gradient"]
    assert norm.follow == "tv"
    assert norm.rho_follow > norm.rho
    assert not gradient.indicators
    assert {norm.surrogate, gradient.surrogate} == {"additive"}


@pytest.mark.parametrize("regime", get_args(Regime))
def test_a_regime_keeps_everything_but_the_objective_and_its_scales(regime: Regime) -> None:
    weights = replace(LearnerConfig().objective, clip_eps=0.07, ent_coef=0.5)
    before = LearnerConfig(hidden=(3,), actor_lr=0.5, num_updates=9, objective=weights)
    after = in_regime(before, regime)
    assert after.objective.clip_eps == 0.07
    assert after.objective.ent_coef == 0.5
    same = replace(
        after,
        objective=before.objective,
        kappa=before.kappa,
        scale_rho_follow=before.scale_rho_follow,
    )
    assert same == before
    assert after.scale_rho_follow == (regime == "gradient")


def test_naming_a_regime_twice_changes_nothing_more() -> None:
    for regime in get_args(Regime):
        once = in_regime(LearnerConfig(), regime)
        assert in_regime(once, regime) == once

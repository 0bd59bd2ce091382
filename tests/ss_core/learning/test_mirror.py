"""Learning by mirror steps: tables exactly, networks on the way, with and without an exchange."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from ss_core.algorithms.build import build_learner
from ss_core.exchange.channel import ExchangeConfig
from ss_core.learning.learner import LearnerConfig, learner_tensors, restore_learner
from ss_core.objective.objective import ObjectiveWeights
from ss_core.policies.table import TableBank
from ss_core.training.loop import Training
from tests.support.probe_envs import CounterfactualHelpingGame, mutual_help, ring_help

TABLE = LearnerConfig(
    architecture="table",
    num_envs=4,
    num_updates=20,
    num_epochs=5,
    actor_lr=0.05,
    critic_lr=0.02,
    critic_hidden=(8,),
    gamma=1.0,
    kappa="one",
    suggestions="best",
    counterfactuals=True,
    objective=ObjectiveWeights(
        rho=2.0, rho_follow=2.0, surrogate="additive", indicators=False, anchor="kl"
    ),
    exchange=ExchangeConfig(protocol="graph", per_update="once"),
)
NETWORKS = replace(TABLE, architecture="shared", hidden=(8,), zero_logits=True)


def trained(config: LearnerConfig, updates: int, agents: int = 3) -> Training:
    env = CounterfactualHelpingGame(ring_help(agents, num_envs=config.num_envs))
    training = Training.begin(config, env, seed=0)
    for _ in range(updates):
        training.advance()
    return training


def helping(training: Training) -> list[float]:
    """How likely each agent is to help, where helping costs 0.2 and brings another one 1."""
    step = training.env.reset(0)
    with torch.no_grad():
        own = training.learner.actors.own(step.observations, None)
    return own[0, :, 1].exp().tolist()


def test_a_step_of_tables_is_the_sum_of_all_gains() -> None:
    # each agent: helping brings 1 - 0.2 in all; logits move by 0.8 / ρ at each update
    training = trained(TABLE, 1)
    assert helping(training) == pytest.approx([torch.tensor(0.4).sigmoid().item()] * 3, abs=1e-5)
    training.advance()
    assert helping(training) == pytest.approx([torch.tensor(0.8).sigmoid().item()] * 3, abs=1e-5)


def test_half_of_rho_follow_takes_half_of_what_others_want() -> None:
    half = replace(TABLE, objective=replace(TABLE.objective, rho_follow=1.0))
    assert helping(trained(half, 1)) == pytest.approx(
        [torch.tensor((0.5 - 0.2) / 2.0).sigmoid().item()] * 3, abs=1e-5
    )


def test_selfish_agents_step_away_from_helping() -> None:
    alone = replace(TABLE, algorithm="independent")
    assert helping(trained(alone, 1)) == pytest.approx(
        [torch.tensor(-0.1).sigmoid().item()] * 3, abs=1e-5
    )


@pytest.mark.parametrize("config", [TABLE, NETWORKS], ids=["table", "networks"])
def test_agents_come_to_help(config: LearnerConfig) -> None:
    assert min(helping(trained(config, 20))) > 0.9
    assert max(helping(trained(replace(config, algorithm="independent"), 20))) < 0.3


def test_samples_do_where_no_alternatives_are_known() -> None:
    config = replace(
        TABLE, counterfactuals=False, num_envs=64, num_updates=60, advantage_scale="unit"
    )
    training = Training.begin(config, mutual_help(num_envs=64), seed=0)
    for _ in range(60):
        training.advance()
    assert min(helping(training)) > 0.8


def test_the_decay_of_rates_shortens_steps() -> None:
    halving = replace(TABLE, num_updates=2, final_lr_fraction=0.5)
    assert helping(trained(halving, 2)) == pytest.approx(
        [torch.tensor(0.4 + 0.2).sigmoid().item()] * 3, abs=1e-5
    )


def test_once_an_update_policies_and_suggestions_cross_and_nothing_else() -> None:
    training = trained(TABLE, 2)
    sent = training.channel.ledger.bytes_by_kind()
    assert set(sent) == {"own_policy", "suggestion"}
    assert sent["own_policy"] == sent["suggestion"] > 0
    assert training.learner.last_round is not None


def test_a_gap_of_the_exchange_is_a_step_alone() -> None:
    every_second = replace(TABLE, exchange=replace(TABLE.exchange, every=2))
    after = helping(trained(every_second, 2))
    assert after == pytest.approx([torch.tensor(0.4 - 0.1).sigmoid().item()] * 3, abs=1e-5)


def test_a_table_is_restored() -> None:
    first = trained(TABLE, 3).learner
    again = build_learner(TABLE, first.spec, 1)
    restore_learner(again, {k: v.clone() for k, v in learner_tensors(first).items()})
    assert isinstance(again.actors, TableBank)
    assert torch.equal(again.actors.params["own_logits"], first.actors.params["own_logits"])


def test_a_table_learns_by_gradients_too() -> None:
    plain = replace(
        TABLE,
        algorithm="independent",
        counterfactuals=False,
        suggestions="networks",
        objective=ObjectiveWeights(),
        exchange=ExchangeConfig(),
        num_envs=32,
    )
    training = Training.begin(plain, mutual_help(num_envs=32), seed=0)
    for _ in range(20):
        training.advance()
    assert max(helping(training)) < 0.35


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"suggestions": "networks"}, "suggestions='best'"),
        ({"exchange": ExchangeConfig()}, "per_update='once'"),
        ({"agent_order": "sequential"}, "agent_order='simultaneous'"),
        ({"architecture": "tilted"}, "use 'table'"),
        ({"objective": replace(TABLE.objective, rho=0.0)}, "rho above 0"),
        ({"objective": replace(TABLE.objective, anchor="l2")}, "objective.anchor='kl'"),
    ],
)
def test_what_it_cannot_go_with_is_said(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        replace(TABLE, **changes)


def test_copies_of_tables_are_not_shared() -> None:
    with pytest.raises(ValueError, match="has no copies"):
        replace(TABLE, algorithm="ps", suggestions="networks", objective=ObjectiveWeights())

"""Suggestion sharing (SS): agents exchange action distributions and suggestions, nothing else."""

from dataclasses import replace

import torch

from ss_core.algorithms.algorithm import Algorithm
from ss_core.env import CounterfactualEnv, VectorEnv
from ss_core.exchange.channel import Channel
from ss_core.exchange.trust import no_trust_yet
from ss_core.learning.action_advantages import judge_alternatives
from ss_core.learning.credit import build_credit
from ss_core.learning.learner import Learner, Trained
from ss_core.learning.rollout import Rollout, decisions_of
from ss_core.learning.update import learn_from_model, learn_from_samples, partners, update_actors
from ss_core.policies.critics import build_critics
from ss_core.policies.optimiser import init_adam


def learn(
    learner: Learner, rollout: Rollout, env: VectorEnv, channel: Channel, update: int
) -> dict[str, float]:
    """One update; in a gap of the exchange (every k-th) the agents learn alone."""
    decisions = decisions_of(rollout, learner.spec)
    where = partners(channel, rollout, update)
    if learner.config.counterfactuals and isinstance(env, CounterfactualEnv):
        table = env.counterfactual_rewards(where.receivers if where else learner.no_neighbours)
        return update_actors(
            learner, decisions, judge_alternatives(table, decisions, where), channel, where, update
        )
    if learner.credit is not None:
        return learn_from_model(learner, rollout, decisions, channel, where, update)
    return learn_from_samples(
        learner, rollout, decisions, rollout.rewards, channel=channel, where=where, update=update
    )


def prepare(learner: Learner, generator: torch.Generator) -> None:
    """The private models that the settings ask for."""
    config, spec, device = learner.config, learner.spec, learner.generator.device
    if config.suggestion_baseline:  # Â_i(s, a_i): sees an observation and the own action
        seen = replace(spec, observation_size=spec.observation_size + spec.num_actions)
        bank = build_critics(seen, config.critic_hidden, generator, centralised=False)
        learner.models["own_model"] = Trained(bank, init_adam(bank.params, spec.num_agents))
    if config.credit == "model":
        learner.credit = build_credit(spec, device)
    if config.trust:
        learner.trust = no_trust_yet(spec.num_agents, device)


ALGORITHM = Algorithm(
    name="ss",
    title="SS (suggestions only)",
    short_title="SS",
    role="ours",
    description="suggestion sharing",
    crosses="action distributions and suggestions cross",
    reference="Jin, Wei and Montana (2025)",
    rank=1,
    exchanges=("announcement", "own_policy", "suggestion"),
    judges_counterfactuals=True,
    beside_liars=True,
    learn=learn,
    prepare=prepare,
)

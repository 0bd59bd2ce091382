"""Suggestion sharing (SS): agents exchange action distributions and suggestions, nothing else."""

from ss_core.env import CounterfactualEnv, VectorEnv
from ss_core.exchange import Channel
from ss_core.judgement import (
    judge_alternatives,
    judge_samples,
    sampled_advantages,
    scaled_advantages,
)
from ss_core.learner import Learner
from ss_core.rollout import Rollout, decisions_of, flatten
from ss_core.update import update_actors, update_critics


def learn(
    learner: Learner, rollout: Rollout, env: VectorEnv, channel: Channel, update: int
) -> dict[str, float]:
    """One update; in a gap of the exchange (every k-th) the agents learn alone."""
    decisions = decisions_of(rollout, learner.spec)
    graph = None if rollout.neighbours is None else flatten(rollout.neighbours).any(dim=0)
    where = channel.neighbourhood(update, graph) if channel.exchanges_at(update) else None
    if learner.config.counterfactuals and isinstance(env, CounterfactualEnv):
        table = env.counterfactual_rewards(where.receivers if where else learner.no_neighbours)
        return update_actors(
            learner, decisions, judge_alternatives(table, decisions, where), channel, where, update
        )
    advantages, targets = sampled_advantages(learner, rollout, rollout.rewards)
    advantages = scaled_advantages(learner, advantages, decisions)
    judgement = judge_samples(advantages, decisions, where, learner.spec.num_actions)
    metrics = update_actors(learner, decisions, judgement, channel, where, update)
    loss = update_critics(learner, flatten(rollout.observations), flatten(targets), update)
    return metrics | {"critic_loss": loss}

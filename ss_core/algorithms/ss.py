"""Suggestion sharing (SS): agents exchange action distributions and suggestions, nothing else."""

from ss_core.env import CounterfactualEnv, VectorEnv
from ss_core.exchange.channel import Channel
from ss_core.learning.action_advantages import judge_alternatives
from ss_core.learning.learner import Learner
from ss_core.learning.rollout import Rollout, decisions_of
from ss_core.learning.update import learn_from_model, learn_from_samples, partners, update_actors


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

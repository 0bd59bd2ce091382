"""Sharing of value parameters (VPS): critics agree by averaging, policies stay one's own.

Zhang et al. (2018): every agent regresses its critic on its own returns, then the critics'
parameters are averaged with Metropolis weights over the neighbourhood graph; Adam's moments are
not. Advantages are those of the own rewards under that common critic (their Algorithm 1), or, with
`vps_reward_model`, of a model of the team's mean reward that is learnt and averaged in the same way
(their Algorithm 2).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ss_core.env import VectorEnv
from ss_core.exchange.channel import Channel
from ss_core.exchange.consensus import average_parameters
from ss_core.learning.action_advantages import sampled_advantages
from ss_core.learning.learner import Learner
from ss_core.learning.rollout import Rollout, critic_inputs, flatten
from ss_core.learning.update import learn_alone, partners, regress


def learn(
    learner: Learner, rollout: Rollout, env: VectorEnv, channel: Channel, update: int
) -> dict[str, float]:
    """One update; in a gap of the exchange (every k-th) nothing is averaged."""
    where = partners(channel, rollout, update)
    advantages, targets = sampled_advantages(learner, rollout, rollout.rewards)
    losses: dict[str, float] = {}
    if learner.reward_model is not None and learner.reward_adam is not None:
        seen, model = reward_inputs(learner, rollout), learner.reward_model
        with torch.no_grad():
            team = model.values(seen).unflatten(0, rollout.rewards.shape[:2])
        advantages, _ = sampled_advantages(learner, rollout, team)
        rewards = flatten(rollout.rewards)
        loss = regress(learner, model, learner.reward_adam, seen, rewards, update)
        losses["reward_loss"] = loss
        average_parameters(model.params, channel, "reward_parameters", where, update)
    metrics = learn_alone(learner, rollout, advantages, targets, channel, update)
    average_parameters(learner.critics.params, channel, "critic_parameters", where, update)
    return metrics | losses


def reward_inputs(learner: Learner, rollout: Rollout) -> Float[Tensor, "B N I"]:
    """What each agent's critic sees, and the joint action as one-hots."""
    spec = learner.spec
    seen, _ = critic_inputs(
        rollout, sees_time=learner.config.critic_sees_time, one_view=learner.one_view
    )
    taken = torch.nn.functional.one_hot(flatten(rollout.actions), spec.num_actions)
    joint = taken.flatten(1)[:, None].expand(-1, spec.num_agents, -1)
    return torch.cat([flatten(seen), joint.to(seen.dtype)], dim=-1)

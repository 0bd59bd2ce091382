"""Sharing of value parameters (VPS): critics agree by averaging, policies stay one's own.

Zhang et al. (2018): every agent regresses its critic on its own returns, then the critics'
parameters are averaged with Metropolis weights over the neighbourhood graph; Adam's moments are
not. Advantages are those of the own rewards under that common critic (their Algorithm 1), or, with
`vps_reward_model`, of a model of the team's mean reward that is learned and averaged in the same
way (their Algorithm 2).
"""

import torch
from jaxtyping import Real
from torch import Tensor

from ss_core.algorithms.algorithm import Algorithm
from ss_core.env import VectorEnv
from ss_core.exchange.channel import Channel
from ss_core.exchange.consensus import average_parameters, make_alike
from ss_core.learning.action_advantages import sampled_advantages
from ss_core.learning.critics_update import critic_inputs, regress, with_choices
from ss_core.learning.learner import Learner, Trained
from ss_core.learning.rollout import Rollout, flatten
from ss_core.learning.update import learn_alone, links_at
from ss_core.policies.critics import build_critics
from ss_core.policies.optimiser import init_adam


def learn(
    learner: Learner, rollout: Rollout, env: VectorEnv, channel: Channel, update: int
) -> dict[str, float]:
    """One update; in a gap of the exchange (every k-th) nothing is averaged."""
    links = links_at(channel, rollout, update)
    advantages, targets = sampled_advantages(learner, rollout, rollout.rewards)
    losses: dict[str, float] = {}
    model = learner.models.get("reward_model")
    if model is not None:
        seen = reward_inputs(learner, rollout)
        with torch.no_grad():
            team = model.bank.values(seen).unflatten(0, rollout.rewards.shape[:2])
        advantages, _ = sampled_advantages(learner, rollout, team)
        losses["reward_loss"] = regress(learner, model, seen, flatten(rollout.rewards), update)
        average_parameters(model.bank.params, channel, "reward_parameters", links, update)
    metrics = learn_alone(learner, rollout, advantages, targets, update)
    average_parameters(learner.critics.params, channel, "critic_parameters", links, update)
    return metrics | losses


def reward_inputs(learner: Learner, rollout: Rollout) -> Real[Tensor, "B N I"]:
    """What each agent's critic sees, and the joint action as one-hots."""
    spec = learner.spec
    seen, _ = critic_inputs(
        rollout, sees_time=learner.config.critic_sees_time, one_view=learner.one_view
    )
    joint = flatten(rollout.actions)[:, None].expand(-1, spec.num_agents, -1)
    return with_choices(flatten(seen), joint, spec)


def prepare(learner: Learner, generator: torch.Generator) -> None:
    """All critics start alike; with `vps_reward_model` also models R̄_i(s, a) of the team's reward.

    Those see what critics see, and everybody's actions as one-hots.
    """
    config, spec = learner.config, learner.spec
    make_alike(learner.critics.params)
    if config.vps_reward_model:
        seen = spec.with_inputs(spec.num_agents * spec.num_actions)
        sees_time, hidden = config.critic_sees_time, config.critic_hidden
        bank = build_critics(seen, hidden, generator, centralised=False, sees_time=sees_time)
        make_alike(bank.params)
        learner.models["reward_model"] = Trained(bank, init_adam(bank.params, spec.num_agents))


ALGORITHM = Algorithm(
    name="vps",
    title="VPS, learned",
    short_title="VPS",
    role="ours",
    description="sharing of value parameters",
    crosses="critics are averaged among neighbours",
    reference="Zhang et al. (2018)",
    rank=4,
    in_paper=True,
    exchanges=("critic_parameters", "reward_parameters"),
    common_view=True,
    learn=learn,
    prepare=prepare,
)

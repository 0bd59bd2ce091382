"""Social value orientation (SVO): every agent likes rewards to be divided at an angle of its own.

Not from the paper. McKee et al. (2020), "Social diversity and social preferences in mixed-motive
reinforcement learning", arXiv 2002.02325. Agents see their neighbours' rewards and learn by PPO

    u_i = r_i - w |θ_i - θ|,   θ_i = arctan2(mean of the neighbours' rewards, r_i),

each with its own critic of u_i. Formula and defaults (w = 0.5, θ = 45°) are those of SocialJax
(cooperativex/SocialJax, algorithms/SVO/README.md), where rewards and w are both multiplied by N.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ss_core.algorithms.algorithm import Algorithm
from ss_core.env import VectorEnv
from ss_core.exchange.channel import Channel
from ss_core.exchange.neighbourhood import Neighbourhood
from ss_core.learning.action_advantages import sampled_advantages
from ss_core.learning.learner import Learner
from ss_core.learning.rollout import Rollout, flatten
from ss_core.learning.update import learn_alone, links_at


def learn(
    learner: Learner, rollout: Rollout, env: VectorEnv, channel: Channel, update: int
) -> dict[str, float]:
    """One update; in a gap of the exchange agents see nobody and learn from their own rewards."""
    config, rewards = learner.config, rollout.rewards
    links = links_at(channel, rollout, update)
    if links is not None:
        angle, weight = config.svo_angle, config.svo_weight
        rewards = utilities(rewards, angle, weight, channel, links, update)
    return learn_alone(learner, rollout, *sampled_advantages(learner, rollout, rewards), update)


def utilities(
    rewards: Float[Tensor, "T E N"],
    angle_degrees: float,
    weight: float,
    channel: Channel,
    links: Neighbourhood,
    update: int,
) -> Float[Tensor, "T E N"]:
    """u_i by the mean reward of those i is linked to at that step; r_i where there is nobody."""
    own = flatten(rewards)
    linked = links.at_every_row(len(own))
    received = channel.share("reward", own.unsqueeze(-1), links, linked, update).squeeze(-1)
    met = linked.sum(dim=2)
    others = (received * linked).sum(dim=2) / met.clamp_min(1)
    penalty = weight * angle_between(own, others, math.radians(angle_degrees))
    return (own - penalty.where(met > 0, 0.0)).unflatten(0, rewards.shape[:2])


def angle_between(
    own: Float[Tensor, "*batch"], others: Float[Tensor, "*batch"], angle: float
) -> Float[Tensor, "*batch"]:
    """|θ_i - θ| in radians, the shorter way round; θ_i = 0 where nobody has anything.

    Where all rewards are 0 or more and θ lies between 0 and 90° there is but one way.
    """
    theta = torch.atan2(others + 0.0, own + 0.0)  # minus zero would point the other way
    away = (theta - angle).abs()
    return torch.minimum(away, 2.0 * math.pi - away)


ALGORITHM = Algorithm(
    name="svo",
    title="SVO, learned",
    short_title="SVO",
    role="ours",
    description="social value orientation",
    crosses="every reward is shown to neighbours",
    reference="McKee et al. (2020); not in the paper",
    rank=9,
    exchanges=("reward",),
    learn=learn,
)

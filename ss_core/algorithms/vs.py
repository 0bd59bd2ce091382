"""Value sharing (VS): the mean of one's own and one's neighbours' advantages.

Du et al. (2022) without the learned model of the world: every agent learns the value of its own
rewards and tells its neighbours, as one number per step, how much better than that it went.
"""

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
    """One update; in a gap of the exchange the agents learn from their own advantages."""
    advantages, targets = sampled_advantages(learner, rollout, rollout.rewards)
    links = links_at(channel, rollout, update)
    if links is not None:
        advantages = shared_advantages(advantages, channel, links, update)
    return learn_alone(learner, rollout, advantages, targets, update)


def shared_advantages(
    advantages: Float[Tensor, "T E N"],
    channel: Channel,
    links: Neighbourhood,
    update: int,
) -> Float[Tensor, "T E N"]:
    """Mean of Â_j over j ∈ N_i ∪ {i}, as far as they meet at that step."""
    own = flatten(advantages)
    linked = links.at_every_row(len(own))
    received = channel.share("advantage", own.unsqueeze(-1), links, linked, update)
    total = own + (received.squeeze(-1) * linked).sum(dim=2)
    return (total / (1 + linked.sum(dim=2))).unflatten(0, advantages.shape[:2])


ALGORITHM = Algorithm(
    name="vs",
    title="VS, learned",
    short_title="VS",
    role="ours",
    description="value sharing",
    crosses="neighbours' advantages are averaged",
    reference="Du et al. (2022)",
    rank=5,
    in_paper=True,
    exchanges=("advantage",),
    learn=learn,
)

"""Value sharing (VS): the mean of one's own and one's neighbours' advantages.

Du et al. (2022) without the learnt model of the world: every agent learns the value of its own
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
from ss_core.learning.update import learn_alone, partners


def learn(
    learner: Learner, rollout: Rollout, env: VectorEnv, channel: Channel, update: int
) -> dict[str, float]:
    """One update; in a gap of the exchange the agents learn from their own advantages."""
    advantages, targets = sampled_advantages(learner, rollout, rollout.rewards)
    where = partners(channel, rollout, update)
    if where is not None:
        advantages = shared_advantages(advantages, channel, where, update)
    return learn_alone(learner, rollout, advantages, targets, channel, update)


def shared_advantages(
    advantages: Float[Tensor, "T E N"],
    channel: Channel,
    where: Neighbourhood,
    update: int,
) -> Float[Tensor, "T E N"]:
    """Mean of Â_j over j ∈ N_i ∪ {i}, as far as they meet at that step."""
    own = flatten(advantages)
    heard = where.at_every_row(len(own))
    told = channel.share_with_suggesters("advantage", own.unsqueeze(-1), where, heard, update)
    total = own + (told.squeeze(-1) * heard).sum(dim=2)
    return (total / (1 + heard.sum(dim=2))).unflatten(0, advantages.shape[:2])


ALGORITHM = Algorithm(
    name="vs",
    title="VS, learned",
    short_title="VS",
    role="ours",
    description="value sharing",
    crosses="neighbours' advantages are averaged",
    reference="Du et al. (2022)",
    rank=5,
    exchanges=("advantage",),
    learn=learn,
)

"""Reward transfer: every agent keeps a share s of its reward and gives the rest to its neighbours.

Not from the paper. Willis et al. (2024), "Resolving social dilemmas with minimal reward transfer",
arXiv 2310.12928: s is the self-interest level. Among all it is what SocialJax calls TRANSFER
(cooperativex/SocialJax, algorithms/TRANSFER/README.md),

    r_i' = s r_i + (1 - s)/(N - 1) Σ_{j≠i} r_j,

so s = 1 is independent learning and s = 1/N equal sharing. Agents learn r_i' by PPO, each with its
own critic of r_i'. Where `self_interest` is None a neighbour gets half of what is kept, as in all
that SocialJax ships: s = 2/(m + 2) with m neighbours.
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
    """One update; in a gap of the exchange, and with s = 1, nothing is given or sent."""
    rewards, kept = rollout.rewards, learner.config.self_interest
    links = links_at(channel, rollout, update)
    if links is not None and kept != 1.0:
        rewards = transferred_rewards(rewards, kept, channel, links, update)
    return learn_alone(learner, rollout, *sampled_advantages(learner, rollout, rewards), update)


def transferred_rewards(
    rewards: Float[Tensor, "T E N"],
    self_interest: float | None,
    channel: Channel,
    links: Neighbourhood,
    update: int,
) -> Float[Tensor, "T E N"]:
    """What each agent has after it gave and received; the sum over agents stays what it was.

    What an agent gives is divided among those it is linked to at that step; the absent get nothing,
    and with nobody there it keeps all.
    """
    own = flatten(rewards)
    linked = links.at_every_row(len(own))
    met = linked.sum(dim=2)
    kept = 2.0 / (met + 2.0) if self_interest is None else own.new_tensor(self_interest)
    kept = kept.where(met > 0, 1.0)
    each = (1.0 - kept) / met.clamp_min(1) * own
    given = each[:, :, None, None].expand(*linked.shape, 1)
    received, arrived = channel.send("reward", given, links, linked, update)
    had = kept * own + (received.squeeze(-1) * arrived).sum(dim=2)
    return had.unflatten(0, rewards.shape[:2])


ALGORITHM = Algorithm(
    name="reward_transfer",
    title="reward transfer, learned",
    short_title="transfer",
    role="ours",
    description="reward transfer",
    crosses="a share of every reward is given to neighbours",
    reference="Willis et al. (2024); not in the paper",
    rank=8,
    exchanges=("reward",),
    learn=learn,
)

"""Independent PPO: every agent learns from its own rewards, nothing is exchanged."""

from ss_core.algorithms import ss
from ss_core.env import VectorEnv
from ss_core.exchange.channel import Channel
from ss_core.learning.learner import Learner
from ss_core.learning.rollout import Rollout


def learn(
    learner: Learner, rollout: Rollout, env: VectorEnv, channel: Channel, update: int
) -> dict[str, float]:
    """One update of suggestion sharing that never meets anybody."""
    return ss.learn(learner, rollout, env, channel.closed(), update)

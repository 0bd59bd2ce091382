"""Independent PPO: every agent learns from its own rewards, nothing is exchanged."""

import torch

from ss_core.algorithms import ss
from ss_core.algorithms.algorithm import Algorithm
from ss_core.env import VectorEnv
from ss_core.exchange.channel import Channel
from ss_core.learning.credit import build_credit
from ss_core.learning.learner import Learner
from ss_core.learning.rollout import Rollout


def learn(
    learner: Learner, rollout: Rollout, env: VectorEnv, channel: Channel, update: int
) -> dict[str, float]:
    """One update of suggestion sharing that never meets anybody."""
    return ss.learn(learner, rollout, env, channel.closed(), update)


def prepare(learner: Learner, generator: torch.Generator) -> None:
    """A private model of credit, where the settings ask for it."""
    if learner.config.credit == "model":
        device = learner.generator.device
        learner.credit = build_credit(learner.spec, device, of_neighbours=False)


ALGORITHM = Algorithm(
    name="independent",
    title="selfish, learned",
    short_title="independent",
    role="selfish",
    description="independent PPO on own rewards",
    crosses="nothing crosses",
    reference="Schulman et al. (2017), by every agent for itself",
    rank=2,
    in_paper=True,
    judges_counterfactuals=True,
    beside_liars=True,
    learn=learn,
    prepare=prepare,
)

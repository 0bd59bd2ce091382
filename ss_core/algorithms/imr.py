"""Intrinsic moral rewards (IMR): independent learners who like to cooperate.

Tennant et al. (2023), virtue ethics (kindness): an agent's own reward plus `imr_bonus` at every
step at which it acted cooperatively. Nothing is exchanged; metrics and evaluations count the
rewards of the world alone.
"""

from ss_core.algorithms.algorithm import Algorithm
from ss_core.env import VectorEnv
from ss_core.errors import ConfigError
from ss_core.exchange.channel import Channel
from ss_core.learning.action_advantages import sampled_advantages
from ss_core.learning.learner import Learner
from ss_core.learning.rollout import Rollout
from ss_core.learning.update import learn_alone


def learn(
    learner: Learner, rollout: Rollout, env: VectorEnv, channel: Channel, update: int
) -> dict[str, float]:
    """One update.

    Raises:
        ConfigError: the environment does not tell which actions are cooperative.
    """
    if rollout.cooperative is None:
        raise ConfigError(
            "algorithm='imr': this environment does not tell which actions are cooperative; "
            "choose another algorithm, or an environment whose steps say it (`Step.cooperative`)"
        )
    bonus = learner.config.imr_bonus * rollout.cooperative.to(rollout.rewards.dtype)
    advantages, targets = sampled_advantages(learner, rollout, rollout.rewards + bonus)
    return learn_alone(learner, rollout, advantages, targets, update)


ALGORITHM = Algorithm(
    name="imr",
    title="IMR, learned",
    short_title="IMR",
    role="ours",
    description="intrinsic moral rewards",
    crosses="a bonus for own cooperation, nothing crosses",
    reference="Tennant et al. (2023)",
    rank=7,
    in_paper=True,
    needs=("cooperative_actions",),
    learn=learn,
)

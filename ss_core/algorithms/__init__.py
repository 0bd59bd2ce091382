"""Algorithms, one file each: what is exchanged, and whose advantages the passes of `update` get."""

from collections.abc import Callable

from ss_core.algorithms import centralised, independent, ss
from ss_core.env import VectorEnv
from ss_core.exchange import Channel
from ss_core.learner import AlgorithmName, Learner
from ss_core.rollout import Rollout

Learn = Callable[[Learner, Rollout, VectorEnv, Channel, int], dict[str, float]]

ALGORITHMS: dict[AlgorithmName, Learn] = {
    "ss": ss.learn,
    "independent": independent.learn,
    "centralised": centralised.learn,
}

__all__ = ["ALGORITHMS", "Learn"]

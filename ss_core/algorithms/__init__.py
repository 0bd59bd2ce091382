"""Algorithms, one file each: what is exchanged, and whose advantages the passes of `update` get."""

from collections.abc import Callable

from ss_core.algorithms import centralised, imr, independent, ps, ss, vps, vs
from ss_core.env import VectorEnv
from ss_core.exchange.channel import Channel
from ss_core.learning.learner import AlgorithmName, Learner
from ss_core.learning.rollout import Rollout

Learn = Callable[[Learner, Rollout, VectorEnv, Channel, int], dict[str, float]]

ALGORITHMS: dict[AlgorithmName, Learn] = {
    "ss": ss.learn,
    "independent": independent.learn,
    "centralised": centralised.learn,
    "vps": vps.learn,
    "vs": vs.learn,
    "ps": ps.learn,
    "imr": imr.learn,
}

DESCRIPTIONS: dict[AlgorithmName, str] = {
    "ss": "suggestion sharing: action distributions and suggestions cross",
    "independent": "independent PPO on own rewards: nothing crosses",
    "centralised": "centralised learning on the sum of rewards: every reward crosses",
    "vps": "sharing of value parameters: critics are averaged among neighbours",
    "vs": "value sharing: neighbours' advantages are averaged",
    "ps": "policy sharing: copies of all policies are averaged among neighbours",
    "imr": "intrinsic moral rewards: a bonus for own cooperation, nothing crosses",
}

__all__ = ["ALGORITHMS", "DESCRIPTIONS", "Learn"]

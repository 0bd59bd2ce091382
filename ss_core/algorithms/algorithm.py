"""The record of an algorithm: its facts, how it learns, and what models of its own it needs."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import torch

from ss_core.algorithms.names import AlgorithmFacts
from ss_core.env import VectorEnv
from ss_core.errors import ConfigError
from ss_core.exchange.channel import Channel, MessageKind
from ss_core.learning.learner import Learner
from ss_core.learning.rollout import Rollout

# learner, rollout, environment, channel, update → metrics
Learn = Callable[[Learner, Rollout, VectorEnv, Channel, int], dict[str, float]]
Prepare = Callable[[Learner, torch.Generator], None]
LEARN_ARGUMENTS = ("learner", "rollout", "env", "channel", "update")


def needs_nothing(learner: Learner, generator: torch.Generator) -> None:
    """No models besides actors and critics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm(AlgorithmFacts):
    """One algorithm; its file ends with one of these, `ALGORITHM`.

    In this folder facts are written out as literals, since `names.py` reads them from the source.
    """

    learn: Learn  # one update
    prepare: Prepare = needs_nothing  # completes a fresh learner: further models, equal starts

    def __post_init__(self) -> None:
        AlgorithmFacts.__post_init__(self)
        kinds = get_args(MessageKind)
        if not set(self.exchanges) <= set(kinds):
            raise ConfigError(
                f"algorithm {self.name!r}: exchanges={self.exchanges}: kinds of messages are "
                f"{', '.join(kinds)}"
            )
        if not callable(self.learn) or not _takes(self.learn, len(LEARN_ARGUMENTS)):
            raise ConfigError(
                f"algorithm {self.name!r}: learn must be a function of "
                f"({', '.join(LEARN_ARGUMENTS)})"
            )
        if not callable(self.prepare) or not _takes(self.prepare, 2):
            raise ConfigError(
                f"algorithm {self.name!r}: prepare must be a function of (learner, generator)"
            )


def _takes(function: Callable[..., object], count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    return True

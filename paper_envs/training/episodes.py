"""Held-out episodes, played to their end by fixed policies: nothing is learned."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ss_core.env import VectorEnv
from ss_core.learning.rollout import collect_rollout
from ss_core.policies.actors import ActorBank
from ss_core.random_streams import Stream, drawn_seed, torch_generator
from ss_core.record.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Episodes:
    """Episodes played to their end by fixed policies."""

    returns: Float[np.ndarray, "episode N"]  # sum of each agent's rewards
    steps: Int[np.ndarray, " episode"]

    @property
    def averaged(self) -> Float[np.ndarray, " episode"]:
        """Averaged return, the paper's measure: collective return / (N · steps)."""
        return self.returns.mean(axis=1) / self.steps


def play_episodes(env: VectorEnv, actors: ActorBank, *, episodes: int, seed: int) -> Episodes:
    """Play held-out episodes with the stochastic policies; nothing is exchanged or learned.

    Each copy's first episode counts, to its end or to the horizon; as many rounds as needed.
    """
    device = next(iter(actors.params.values())).device
    generator = torch_generator(seed, Stream.PLAYED_ACTIONS, device=device)
    returns: list[np.ndarray] = []
    steps: list[np.ndarray] = []
    for part in range(-(-episodes // env.spec.num_envs)):
        rollout = collect_rollout(
            env,
            actors,
            seed=drawn_seed(seed, Stream.HELD_OUT_EPISODES, part),
            generator=generator,
            with_successors=False,
        )
        returns.append(rollout.first_returns.numpy(force=True))
        steps.append(rollout.in_first_episode.sum(dim=0).numpy(force=True))
    return Episodes(
        returns=np.concatenate(returns)[:episodes], steps=np.concatenate(steps)[:episodes]
    )


def episodes_of(result: Checkpoint, when: str) -> Episodes:
    """What was played `before` or `after` training."""
    return Episodes(
        returns=result.tensors[f"{when}/returns"].numpy(),
        steps=result.tensors[f"{when}/steps"].numpy(),
    )

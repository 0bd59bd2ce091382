"""Environments by name: `module:function`, the user's own code, as a `VectorEnv`.

The function returns a PettingZoo `ParallelEnv`, or an `AECEnv`, a game in turns; keyword arguments
may be given. What the code prints is the caller's to redirect.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.conversions import aec_to_parallel, turn_based_aec_to_parallel

from ss_core.adapters.observation_scale import ObservationScale
from ss_core.adapters.parallel_copy import RunningCopy
from ss_core.adapters.pettingzoo import VectorFromParallel
from ss_core.adapters.user_code import error_words, user_module, user_object
from ss_core.errors import InputError
from ss_core.random_streams import Stream, numpy_generator
from ss_core.record.atomic import sha256_of

EXAMPLE = "mpe2.simple_spread_v3:parallel_env"
LONGEST_PROBE = 500  # steps of an episode
PROBE_STEPS, PROBE_EPISODES = 1000, 4

MakeEnv = Callable[[], ParallelEnv]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a few random episodes showed."""

    num_agents: int
    observation_size: int
    horizon: int
    horizon_origin: str  # in words


def load_user_env(target: str, arguments: Mapping[str, Any]) -> MakeEnv:
    """The function that `target` names, checked by one call; each call makes a fresh environment.

    Raises:
        InputError: no such module or function, or it returns something else.
    """
    function = _function(target)

    def make() -> ParallelEnv:
        try:
            env = function(**arguments)
        except Exception as error:  # other people's code may raise anything
            raise InputError(f"{target}: calling it raised {error_words(error)}") from error
        if isinstance(env, AECEnv):
            at_once = env.metadata.get("is_parallelizable", False)
            return aec_to_parallel(env) if at_once else turn_based_aec_to_parallel(env)
        if not isinstance(env, ParallelEnv):
            raise InputError(
                f"{target}: returned a {type(env).__name__}, not a pettingzoo ParallelEnv; name a "
                f"function that returns one, as in {EXAMPLE}"
            )
        return env

    make().close()
    return make


def make_user_env(
    target: str,
    num_envs: int,
    *,
    horizon: int,
    options: Mapping[str, Any] | None = None,
    device: str = "cpu",
    observation_scale: ObservationScale = "none",
) -> VectorFromParallel:
    """`num_envs` copies of the environment; `options` are keyword arguments of the function."""
    return VectorFromParallel(
        load_user_env(target, options or {}),
        num_envs,
        horizon=horizon,
        device=device,
        observation_scale=observation_scale,
    )


def probe_user_env(make: MakeEnv, *, horizon: int | None = None) -> Probe:
    """Play a few episodes with random actions, checking every step; tells the horizon if not given.

    The horizon is the length that all of them had, else twice the longest; `LONGEST_PROBE` at most.

    Raises:
        InputError: what the environment returns does not hold together.
        ConfigError: its spaces are not supported.
    """
    copy = RunningCopy(make(), LONGEST_PROBE if horizon is None else horizon)
    rng = numpy_generator(0, Stream.TRIED_ACTIONS)
    lengths: list[int] = []
    while len(lengths) < PROBE_EPISODES and sum(lengths) < PROBE_STEPS:
        lengths.append(_play(copy, rng))
    copy.env.close()
    if horizon is None:
        horizon, origin = _horizon_of(lengths)
    else:
        origin = "--horizon"
    layout = copy.layout
    return Probe(
        num_agents=len(layout.agents),
        observation_size=layout.observation_size,
        horizon=horizon,
        horizon_origin=origin,
    )


def source_sha256(target: str) -> str:
    """Checksum of the file that the module of `target` stands in; empty where there is none."""
    path = inspect.getsourcefile(user_module(target, kind="function", example=EXAMPLE))
    return sha256_of(Path(path)) if path is not None and Path(path).is_file() else ""


def _play(copy: RunningCopy, rng: np.random.Generator) -> int:
    """Steps of one episode with random legal actions."""
    shown = copy.seed_and_restart(rng)
    length = 0
    while not (shown.terminated or shown.truncated):
        shown = copy.step(copy.layout.actions.drawn(shown.action_mask, rng))
        length += 1
    return length


def _horizon_of(lengths: list[int]) -> tuple[int, str]:
    longest = max(lengths)
    if min(lengths) == longest:
        if longest == LONGEST_PROBE:
            return longest, f"random play did not end within {longest} steps"
        return longest, "the length of every random episode"
    horizon = min(2 * longest, LONGEST_PROBE)
    return horizon, f"random episodes took {min(lengths)} to {longest} steps"


def _function(target: str) -> Callable[..., Any]:
    found = user_object(target, kind="function", example=EXAMPLE)
    if not callable(found):
        module, _, name = target.partition(":")
        kind = type(found).__name__
        raise InputError(f"{target}: module {module} has no function {name!r}, which is a {kind}")
    return found

"""One run of `ss train`: its settings, and how they follow from what somebody asked for."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from paper_envs.preset_names import PresetName
from paper_envs.presets import env_options, learner_config
from paper_envs.tasks import make_env, task_named
from paper_envs.training.pilot import no_pilot
from ss_core.adapters.observation_scale import ObservationScale
from ss_core.adapters.user_envs import load_user_env, make_user_env, probe_user_env, source_sha256
from ss_core.algorithms.algorithm import Algorithm
from ss_core.algorithms.registry import algorithm_named
from ss_core.env import VectorEnv
from ss_core.errors import ConfigError
from ss_core.learning.learner import LearnerConfig
from ss_core.learning.presets import in_regime, paper_learner
from ss_core.scenario.config import (
    COMMON_SHORTHANDS,
    MAX_COUNT,
    Check,
    RunConfig,
    needs_copies,
    override,
    with_regime,
)

DEFAULT_UPDATES = 200
FLAGS = {  # settings that follow from the request, and how to ask for others
    "env_sha256": "follows from the environment's code",
    "num_agents": "use --agents, or --env-arg where the environment is your own",
    "horizon_origin": "follows from --horizon",
    "options": "use --env-arg",
    "learner.algorithm": "use --algorithm",
}
FLAGS_OF_TASKS = {  # arguments that every task's class takes
    "num_agents": "--agents",
    "num_envs": "--episodes-per-update",
    "device": "--device",
}
SHORTHANDS = COMMON_SHORTHANDS | {
    "updates": "learner.num_updates",
    "episodes_per_update": "learner.num_envs",
    "env_args": "options",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig(RunConfig):
    """One run of `ss train`."""

    env: str  # name of a task, or module:function
    num_agents: int
    horizon: int  # steps per episode
    horizon_origin: str = ""  # of a module:function: how it was found, in words
    options: Mapping[str, Any] = field(default_factory=dict)  # further arguments of the environment
    observation_scale: ObservationScale = "auto"  # of a module:function (observation_scale.py)
    env_sha256: str = ""  # of the user's module: other code is another run
    evaluation_episodes: int = 128  # before and after, at seeds that are never trained on
    compare_selfish: bool = False
    pilot: bool = False  # try two regimes first and train under the better (`ss`, one's own game)
    commit_every: int = 20

    def checks(self) -> Iterator[Check]:
        """Checks of counts: those of every run in the words of this one."""
        for name in ("horizon", "evaluation_episodes", "evaluations", "commit_every"):
            value = getattr(self, name)
            yield 1 <= value <= MAX_COUNT, f"{name}={value}: between 1 and {MAX_COUNT}"
        yield self.date is None, f"date={self.date!r}: steps of games have no clock; leave it out"

    @property
    def is_user_env(self) -> bool:
        """Whether the environment is somebody's own."""
        return ":" in self.env


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The part of a request that decides which settings there are."""

    env: str
    arguments: Mapping[str, Any]  # --env-arg
    preset: PresetName
    target: str  # of the algorithm: its name, or module:ALGORITHM
    algorithm: Algorithm
    agents: int | None
    horizon: int | None


def resolve(preset: str, overrides: Mapping[str, Any]) -> TrainingConfig:
    """The settings of a run in the environment `env` of the overrides.

    Raises:
        ConfigError, InputError: an unknown name or key, a value that does not fit, an environment
            that does not hold together.
    """
    values = dict(overrides)
    env, arguments = str(values.pop("env", "")), values.pop("env_args", {})
    if not isinstance(arguments, Mapping):
        raise ConfigError(f"env_args={arguments!r}: use --env-arg KEY=VALUE")
    _refuse_fixed(values)
    target = str(values.pop("algorithm", "ss"))
    asked = _Asked(
        env=env,
        arguments=arguments,
        preset=_known_preset(preset),
        target=target,
        algorithm=_known_algorithm(target),
        agents=_count(values, "agents"),
        horizon=_count(values, "horizon"),
    )
    config = _of_user(asked) if ":" in env else _of_task(asked)
    given, regime = dict(values), values.pop("regime", None)
    if regime is not None and config.is_user_env:  # its suggestions are judged by all of Â_i
        config = replace(config, learner=replace(config.learner, suggestion_baseline=False))
    config = override(with_regime(config, regime), values, SHORTHANDS)
    return _with_pilot(config, asked, given)


def _with_pilot(config: TrainingConfig, asked: _Asked, given: Mapping[str, Any]) -> TrainingConfig:
    """With a pilot where there is something to choose and nobody said otherwise.

    Raises:
        ConfigError: a pilot was asked for where there is nothing to choose.
    """
    why_not = no_pilot(
        config.learner,
        {key: value for key, value in given.items() if value is not None},
        own_game=config.is_user_env,
        preset=asked.preset,
        agents=config.num_agents,
    )
    if "pilot" not in given:
        return replace(config, pilot=not why_not)
    if config.pilot and why_not:
        raise ConfigError(f"pilot=true: {why_not}")
    return config


def _refuse_fixed(values: Mapping[str, Any]) -> None:
    for key in values:
        section = key.partition(".")[0]
        flag = FLAGS.get(key, FLAGS.get(section))
        if flag is not None:
            raise ConfigError(f"--set {key}: {flag}")
    if "updates" in values and "budget" in values:
        raise ConfigError("--updates and --budget: both say how long to train; give one")


def _count(values: dict[str, Any], name: str) -> int | None:
    """A number of things, taken out of `values`."""
    value = values.pop(name, None)
    if value is not None and (type(value) is not int or not 1 <= value <= MAX_COUNT):
        raise ConfigError(f"{name}={value!r}: an integer from 1 to {MAX_COUNT}")
    return value


def _known_preset(name: object) -> PresetName:
    if name not in ("paper", "tuned"):
        raise ConfigError(f"preset={name!r}: choose tuned or paper")
    return cast(PresetName, name)


def _known_algorithm(target: str) -> Algorithm:
    with contextlib.redirect_stdout(sys.stderr):  # other people's code may print
        return algorithm_named(target)


def _refuse_without_cooperation(asked: _Asked) -> None:
    if "cooperative_actions" in asked.algorithm.needs:
        raise ConfigError(
            f"--algorithm {asked.target}: {asked.env} does not tell which action is cooperative; "
            "use another"
        )


def _of_task(asked: _Asked) -> TrainingConfig:
    task = task_named(asked.env)
    count = task.num_agents if asked.agents is None else asked.agents
    if asked.horizon is not None:
        raise ConfigError(
            f"--horizon {asked.horizon}: {task.name} always takes {task.horizon} steps"
        )
    if not task.has_cooperation:
        _refuse_without_cooperation(asked)
    for name in asked.arguments:
        if name in FLAGS_OF_TASKS:
            raise ConfigError(f"--env-arg {name}: use {FLAGS_OF_TASKS[name]} with {task.name}")
    updates = default_updates(task.name, count)
    config = TrainingConfig(
        env=task.name,
        num_agents=count,
        horizon=task.horizon,
        learner=learner_config(task.name, count, asked.preset, asked.target, num_updates=updates),
        options={**env_options(task.name, asked.preset), **asked.arguments},
    )
    try:
        build_env(config, 1)
    except TypeError as error:
        raise ConfigError(f"--env-arg: {task.name} does not take it ({error})") from error
    return config


def default_updates(task: str, num_agents: int) -> int:
    """Of a named task; predators, who must all agree, need the more the more they are."""
    return max(DEFAULT_UPDATES, 50 * num_agents) if task == "predation" else DEFAULT_UPDATES


def _of_user(asked: _Asked) -> TrainingConfig:
    env = asked.env
    if asked.agents is not None:
        raise ConfigError(
            f"--agents {asked.agents}: only the function knows how many agents {env} has; "
            "hand its own argument on, as in --env-arg N=5"
        )
    _refuse_without_cooperation(asked)
    with contextlib.redirect_stdout(sys.stderr):  # other people's code may print
        seen = probe_user_env(load_user_env(env, asked.arguments), horizon=asked.horizon)
        sha256 = source_sha256(env)
    return TrainingConfig(
        env=env,
        env_sha256=sha256,
        num_agents=seen.num_agents,
        horizon=seen.horizon,
        horizon_origin=seen.horizon_origin,
        learner=user_learner(asked.preset, asked.target),
        options=dict(asked.arguments),
    )


def user_learner(preset: PresetName, algorithm: str) -> LearnerConfig:
    """Hyper-parameters for an environment that nobody tuned anything for."""
    if preset == "paper":
        return replace(paper_learner(), algorithm=algorithm, num_updates=DEFAULT_UPDATES)
    config = LearnerConfig(
        algorithm=algorithm,
        architecture="multihead" if needs_copies(algorithm) else "tilted",
        hidden=(64, 64),
        critic_hidden=(64, 64),
        zero_logits=True,
        num_envs=16,
        num_updates=DEFAULT_UPDATES,
        num_epochs=6,
        actor_lr=3e-3,
        suggestion_lr=3e-3,
        critic_lr=1e-2,
        final_lr_fraction=0.0,
        gae_lambda=0.95,
        advantage_scale="per_agent",
        suggestion_baseline=True,
    )
    return _with_whole_gradient(in_regime(config, "gradient"))


def _with_whole_gradient(config: LearnerConfig) -> LearnerConfig:
    """ρ so large that suggestions stay off the simplex's edge: they tell how much is at stake.

    With 2 they reach it before a common stock of six is shared well (docs/results/games.md).
    """
    return replace(config, objective=replace(config.objective, rho=8.0, rho_follow=8.0))


def build_env(config: TrainingConfig, num_envs: int) -> VectorEnv:
    """The environment of a run.

    Raises:
        InputError, ConfigError: the user's environment cannot be made.
    """
    if config.is_user_env:
        return make_user_env(
            config.env,
            num_envs,
            horizon=config.horizon,
            options=config.options,
            device=config.device,
            observation_scale=config.observation_scale,
        )
    return make_env(
        config.env,
        num_envs,
        num_agents=config.num_agents,
        device=config.device,
        options=config.options,
    )

"""`ss train` as a world: a task of the paper, or any PettingZoo environment, from config to scores.

What other people's environments print goes to stderr.
"""

import contextlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from paper_envs.tasks import task_named
from paper_envs.training.config import SHORTHANDS, TrainingConfig, build_env, resolve
from paper_envs.training.episodes import Episodes, play_episodes
from paper_envs.training.labels import LABELS, ROWS, UNTRAINED
from paper_envs.training.pilot import regimes_to_try
from paper_envs.training.result import MEASURE, facts, notes, record, score, tables, title
from ss_core.adapters.user_envs import source_sha256
from ss_core.algorithms.build import build_learner
from ss_core.env import EnvSpec, VectorEnv
from ss_core.errors import ConfigError, InputError
from ss_core.learning.learner import Learner, LearnerConfig
from ss_core.scenario.protocol import Column, Prepared, Saved, Scenario, Setting
from ss_core.training.loop import Training
from ss_core.training.saved_learner import SavedLearner

EVALUATION_COPIES = 32


def check(config: TrainingConfig) -> EnvSpec:
    """What the environment offers its agents.

    Raises:
        InputError, ConfigError: the environment cannot be made.
    """
    with contextlib.redirect_stdout(sys.stderr):
        return _env(config, 1).spec


def about(config: TrainingConfig, spec: EnvSpec) -> str:
    """The environment in one sentence."""
    if not config.is_user_env:
        task = task_named(config.env)
        return f"{task.title}: {config.num_agents} agents, {config.horizon} steps"
    seen = f"observations of {spec.observation_size} numbers"
    if spec.picture is not None:
        sides = f"{spec.picture.rows}×{spec.picture.columns}×{spec.picture.channels}"
        seen = f"pictures of {sides}, seen through convolutions"
    scaled = f" ({spec.scaled})" if spec.scaled else ""
    return (
        f"{config.env}: {config.num_agents} agents, {_actions(spec)}, {seen}{scaled}, "
        f"{config.horizon} steps ({config.horizon_origin})"
    )


def _actions(spec: EnvSpec) -> str:
    if spec.action_dimensions:
        return f"actions of {spec.action_dimensions} real numbers"
    if spec.action_parts:
        options = ", ".join(map(str, spec.action_parts))
        return f"{len(spec.action_parts)} choices at once (of {options} options)"
    return f"{spec.num_actions} actions"


def identity(config: TrainingConfig, _: EnvSpec) -> tuple[str, str]:
    """Names for files: `mpe2.simple_spread_v3:parallel_env` is `simple_spread_v3`."""
    last = config.env.partition(":")[0].rpartition(".")[2]
    return re.sub(r"[^a-z0-9_-]+", "-", last.lower()), f"n{config.num_agents}"


def check_stored(stored: TrainingConfig, request: Mapping[str, Any]) -> None:
    """A run is not continued in another environment, or in one whose code has changed.

    Raises:
        ConfigError: it would be.
    """
    resume, asked = request["resume"], request["arguments"]["env"]
    env = asked if ":" in asked else task_named(asked).name
    if env != stored.env:
        raise ConfigError(f"--resume {resume}: that run is of {stored.env}, not of {env}")
    with contextlib.redirect_stdout(sys.stderr):
        changed = stored.is_user_env and source_sha256(env) != stored.env_sha256
    if changed:
        raise ConfigError(
            f"--resume {resume}: the code of {env} has changed since that run began; "
            "start anew with --resume never"
        )


def prepare(
    config: TrainingConfig, spec: EnvSpec, inputs: Path, tell: Callable[[str], None]
) -> Prepared:
    """Nothing is kept: the configuration says it all."""
    del inputs, tell
    return Prepared(sentence=about(config, spec), task=config.env)


@contextmanager
def open_setting(config: TrainingConfig, inputs: Path, processes: int) -> Iterator[Setting]:
    """The environment, for training and for held-out episodes."""
    del inputs, processes

    def training(learner: LearnerConfig) -> nullcontext[Training]:
        env = _env(config, learner.num_envs)
        return nullcontext(Training.begin(learner, env, config.seed, config.device))

    def evaluate(now: Training) -> dict[str, float]:
        played = _held_out(now.learner, now.env, config, now.learner.config.num_envs)
        return {"held_out_averaged_return": float(played.averaged.mean())}

    yield Setting(
        training=training,
        evaluate=evaluate,
        play=lambda trained: _before_and_after(trained, config),
        saved_learner=lambda learner: _described(config, learner),
        welfare=lambda trained: _welfare(trained, config),
        candidates=lambda learner: _candidates(learner, config),
    )


def _env(config: TrainingConfig, num_envs: int) -> VectorEnv:
    env = build_env(config, num_envs)
    if env.spec.num_agents != config.num_agents:
        raise InputError(
            f"{config.env}: has {env.spec.num_agents} agents now, {config.num_agents} a moment "
            "ago; every call of the function must return the same environment"
        )
    return env


def _described(config: TrainingConfig, learner: LearnerConfig) -> SavedLearner:
    return SavedLearner(
        task=config.env,
        num_agents=config.num_agents,
        config=learner,
        seed=config.seed,
        options=config.options,
    )


def _held_out(learner: Learner, env: VectorEnv, config: TrainingConfig, episodes: int) -> Episodes:
    return play_episodes(env, learner.actors, episodes=episodes, seed=config.seed)


def _before_and_after(training: Training, config: TrainingConfig) -> Saved:
    """The same held-out episodes, played by fresh policies and by trained ones."""
    env, learner, count = training.env, training.learner.config, config.evaluation_episodes
    if not config.is_user_env:  # copies cost nothing
        env = build_env(config, max(learner.num_envs, min(count, EVALUATION_COPIES)))
    untrained = build_learner(learner, env.spec, config.seed, config.device)
    played = {
        "before": _held_out(untrained, env, config, count),
        "after": _held_out(training.learner, env, config, count),
    }
    tensors = {f"{when}/returns": torch.from_numpy(each.returns) for when, each in played.items()}
    tensors |= {f"{when}/steps": torch.from_numpy(each.steps) for when, each in played.items()}
    return Saved(tensors)


def _candidates(learner: LearnerConfig, config: TrainingConfig) -> dict[str, LearnerConfig]:
    """What a pilot tries; selfish learners beside have no regime."""
    return regimes_to_try(learner) if config.pilot and learner.algorithm == "ss" else {}


def _welfare(training: Training, config: TrainingConfig) -> Float[np.ndarray, " N"]:
    """Mean reward of a step."""
    played = _held_out(training.learner, training.env, config, config.evaluation_episodes)
    return (played.returns / played.steps[:, None]).mean(axis=0)


SCENARIO = Scenario(
    name="train",
    target="paper_envs.training.scenario:SCENARIO",
    config=TrainingConfig,
    shorthands=SHORTHANDS,
    resolve=resolve,
    check=check,
    check_stored=check_stored,
    about=lambda config: [about(config, check(config))],
    identity=identity,
    prepare=prepare,
    open=open_setting,
    references=lambda _: [],
    score=score,
    rows=ROWS,
    labels=LABELS,
    baseline=UNTRAINED,
    scope="held-out episodes",
    title=title,
    columns=(
        Column(title=MEASURE, figure=MEASURE, digits=None),
        Column(title="low", figure=MEASURE, digits=None, value="ci_low"),
        Column(title="high", figure=MEASURE, digits=None, value="ci_high"),
        Column(title="episode_return_per_agent", figure="episode_return_per_agent", digits=None),
        Column(title="steps", figure="steps", digits=None),
    ),
    tables=tables,
    notes=notes,
    facts=facts,
    record=record,
    earned="return per agent",
    paired_intervals=True,
)

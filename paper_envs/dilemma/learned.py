"""Schelling diagrams of any game: cooperating and defecting are what two learners of a run do.

Who cooperates plays what was learned by the algorithm that a run asked for, who defects what its
selfish learners play (Leibo et al., 2017). So a diagram says whether selfishness pays among those
who learned to cooperate; where nothing was learned there is nothing to tell apart.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from paper_envs.dilemma.measure import FEWEST_AGENTS, Progress, TaskDiagram
from paper_envs.dilemma.plays import Roles
from paper_envs.dilemma.schelling import schelling_diagram
from paper_envs.training.config import TrainingConfig, build_env
from ss_core.algorithms.names import ALGORITHM_FACTS
from ss_core.analysis.run_data import RunData
from ss_core.config import from_dict
from ss_core.env import VectorEnv
from ss_core.errors import ConfigError, InputError
from ss_core.learning.learner import Learner
from ss_core.objective.action_families import family_of
from ss_core.random_streams import Stream, drawn_seed, numpy_generator, torch_generator
from ss_core.training.saved_learner import (
    COMPARED,
    LEARNER_FILE,
    load_learner,
    read_learner_file,
)

MOST_COPIES = 64  # episodes side by side
REMEDY = "train with `ss train GAME --algorithm ss --compare independent`"


def measure_run(run: Path, *, episodes: int, seed: int = 0, progress: Progress) -> TaskDiagram:
    """Play a run's game with every number of cooperators, drawn anew for each episode.

    Raises:
        ConfigError: the two learners look at different scales, or there is one agent.
        InputError, CorruptError: no run of `ss train`, or it holds no selfish learners beside
            others.
    """
    config = _config_of(run)
    if config.num_agents < FEWEST_AGENTS:
        raise ConfigError(f"{run}: {config.num_agents} agent: a dilemma needs {FEWEST_AGENTS}")
    asked = config.learner.algorithm
    folders = [run / "tasks" / name for name in (asked, COMPARED)]
    if asked == COMPARED or not all((each / LEARNER_FILE).is_file() for each in folders):
        raise InputError(f"{run}: needs selfish learners beside others; {REMEDY}")
    env = build_env(config, min(episodes, MOST_COPIES))
    if "moments" in env.spec.scaled:
        raise ConfigError(
            f"{run}: {env.spec.scaled}, which are not the same for both learners; give the "
            "observations a bounded space, or train with --set observation_scale=none"
        )
    learners = [load_learner(folder, read_learner_file(folder), env.spec) for folder in folders]
    count = config.num_agents
    returns = []
    for cooperators in range(count + 1):
        progress(config.env, cooperators, count + 1, f"{cooperators} of {count} cooperate")
        returns.append(_returns(env, learners, cooperators, episodes=episodes, seed=seed))
    progress(config.env, count + 1, count + 1, "")
    diagram = schelling_diagram(returns, rng=numpy_generator(seed, Stream.BOOTSTRAP))
    title = ALGORITHM_FACTS[asked].title if asked in ALGORITHM_FACTS else asked
    return TaskDiagram(
        name=config.env,
        title=config.env.rpartition(":")[2] or config.env,
        group="own",
        roles=Roles(
            cooperates=f"plays what {title} learned", defects="plays what it learned alone"
        ),
        num_agents=count,
        episodes=episodes,
        diagram=diagram,
    )


def _config_of(run: Path) -> TrainingConfig:
    data = RunData(run)
    if data.task in ("grid", "traffic", "signals"):
        raise InputError(f"{run}: a run of {data.task}; diagrams are of runs of `ss train`")
    return from_dict(TrainingConfig, data.config, where=str(run / "manifest.json"))


def _returns(
    env: VectorEnv, learners: list[Learner], cooperators: int, *, episodes: int, seed: int
) -> Float[np.ndarray, "episode N"]:
    """Returns of everybody's first episode, those who cooperate first."""
    copies, count = env.spec.num_envs, env.spec.num_agents
    rng = numpy_generator(seed, Stream.DIAGRAM_ROLES, cooperators)
    generator = torch_generator(seed, Stream.DIAGRAM_ACTIONS, cooperators)
    rows = []
    for part in range(-(-episodes // copies)):
        order = rng.permuted(np.tile(np.arange(count), (copies, 1)), axis=1)
        cooperates = torch.zeros((copies, count), dtype=torch.bool)
        cooperates.scatter_(1, torch.from_numpy(order[:, :cooperators]), value=True)
        start = drawn_seed(seed, Stream.SCRIPTED_EPISODES, cooperators, part)
        earned = _played(env, learners, cooperates, start, generator)
        rows.append(np.take_along_axis(earned.numpy(force=True), order, axis=1))
    return np.concatenate(rows)[:episodes]


def _played(
    env: VectorEnv,
    learners: list[Learner],
    cooperates: Bool[Tensor, "E N"],
    seed: int,
    generator: torch.Generator,
) -> Float[Tensor, "E N"]:
    family, step = family_of(env.spec), env.reset(seed)
    earned = torch.zeros(cooperates.shape, dtype=torch.double)
    goes_on = torch.ones(len(cooperates), dtype=torch.bool)
    for _ in range(env.spec.horizon):
        with torch.no_grad():
            kind, alone = (one.actors.own(step.observations, step.action_mask) for one in learners)
        chosen = torch.where(cooperates.unsqueeze(-1), kind, alone)
        step = env.step(family.sample(chosen, generator))
        earned += step.rewards.double() * goes_on[:, None]
        goes_on &= ~(step.terminated | step.truncated)
    return earned

"""One short training of a task of the paper, for the benchmark of trust."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from paper_envs.presets import env_options, learner_config
from paper_envs.tasks import make_env
from paper_envs.training.episodes import play_episodes
from ss_core.algorithms.build import build_learner
from ss_core.config import replace_paths
from ss_core.exchange.channel import Channel
from ss_core.processes.child_tasks import Report, Stop
from ss_core.scenario.short_runs import is_done, run_updates, write_trial
from ss_core.training.loop import Training

EVALUATION_EPISODES = 128


def trial(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    """Train with the given settings, play held-out episodes; welfare is the reward of a step."""
    torch.set_num_threads(1)
    folder = Path(arguments["folder"])
    if is_done(folder):
        return True
    task, agents, seed = arguments["task"], arguments["agents"], arguments["seed"]
    config = learner_config(task, agents, "tuned", "ss", num_updates=arguments["updates"])
    config = replace_paths(config, arguments["settings"])
    env = make_env(task, config.num_envs, num_agents=agents, options=env_options(task, "tuned"))
    training = Training(
        build_learner(config, env.spec, seed), env, Channel(config.exchange, agents, seed), seed
    )
    if not run_updates(training, report, stop):
        return False
    played = play_episodes(env, training.learner.actors, episodes=EVALUATION_EPISODES, seed=seed)
    write_trial(folder, training, (played.returns / played.steps[:, None]).mean(axis=0))
    return True

"""Training one learner in a task of the paper or in any PettingZoo environment, and playing it.

`learn` is a sub-task of `ss_core.processes.child_tasks`: it commits its own work and, run again,
goes on where it was. What it leaves is told apart from what is printed: see `training_result`.
"""

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from paper_envs.training.config import TrainingConfig, build_env
from ss_core.algorithms.build import build_learner
from ss_core.config import from_dict
from ss_core.env import VectorEnv
from ss_core.errors import InputError
from ss_core.exchange.channel import Channel, exchange_facts
from ss_core.learning.learner import Learner
from ss_core.learning.rollout import collect_rollout
from ss_core.policies.actors import ActorBank
from ss_core.processes.child_tasks import Report, Stop
from ss_core.record.checkpoint import Checkpoint, load_latest, save_checkpoint
from ss_core.record.trace_writer import TraceWriter
from ss_core.training.loop import Training, train
from ss_core.training.saved_learner import SavedLearner, write_learner_file

EVALUATION_COPIES = 32
HELD_OUT = 2**31  # stream of evaluation seeds below a run's seed; updates count from 0


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
    """Play held-out episodes with the stochastic policies; nothing is exchanged or learnt.

    Each copy's first episode counts, to its end or to the horizon; as many rounds as needed.
    """
    device = next(iter(actors.params.values())).device
    generator = torch.Generator(device).manual_seed(seed * 1009 + 1)
    returns: list[np.ndarray] = []
    steps: list[np.ndarray] = []
    for part in range(-(-episodes // env.spec.num_envs)):
        stream = np.random.SeedSequence([seed, HELD_OUT, part + 1])
        rollout = collect_rollout(
            env,
            actors,
            seed=int(stream.generate_state(1)[0]),
            generator=generator,
            with_successors=False,
        )
        ends = (rollout.terminated | rollout.truncated).int()
        first = (ends.cumsum(dim=0) - ends) == 0  # up to and with the step that ended it
        played = rollout.rewards.double() * first.unsqueeze(-1)
        returns.append(played.sum(dim=0).numpy(force=True))
        steps.append(first.sum(dim=0).numpy(force=True))
    return Episodes(
        returns=np.concatenate(returns)[:episodes], steps=np.concatenate(steps)[:episodes]
    )


def learn(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    """Train one learner, then play held-out episodes with it; result in `result/`."""
    torch.set_num_threads(1)
    with contextlib.redirect_stdout(sys.stderr):  # other people's environments may print
        return _learn(arguments, report, stop)


def _learn(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    config = from_dict(TrainingConfig, arguments["config"], where="run")
    folder = Path(arguments["folder"])
    if load_latest(folder / "result") is not None:
        return True
    write_learner_file(folder, _described(config))
    env = build_env(config, config.learner.num_envs)
    _check_size(config, env)
    training = Training(
        build_learner(config.learner, env.spec, config.seed, config.device),
        env,
        Channel(config.learner.exchange, env.spec.num_agents, config.seed),
        config.seed,
    )
    constants = {
        "run_id": arguments["run_id"],
        "algorithm": training.learner.facts.name,
        "seed": config.seed,
    }

    def evaluate(now: Training) -> dict[str, float]:
        played = _held_out(now.learner, env, config, config.learner.num_envs)
        return {"held_out_averaged_return": float(played.averaged.mean())}

    finished = train(
        training,
        folder,
        TraceWriter(folder, level=config.trace, constants=constants),
        evaluate=evaluate,
        evaluate_every=max(1, config.learner.num_updates // config.evaluations),
        commit_every=config.commit_every,
        progress=_with_return(training, report),
        stop_requested=stop,
    )
    if finished:
        _save_result(training, config, folder)
    return finished


def _described(config: TrainingConfig) -> SavedLearner:
    return SavedLearner(
        task=config.env,
        num_agents=config.num_agents,
        config=config.learner,
        seed=config.seed,
        options=config.options,
    )


def _check_size(config: TrainingConfig, env: VectorEnv) -> None:
    if env.spec.num_agents != config.num_agents:
        raise InputError(
            f"{config.env}: has {env.spec.num_agents} agents now, {config.num_agents} a moment "
            "ago; every call of the function must return the same environment"
        )


def _with_return(training: Training, report: Report) -> Report:
    """Progress whose note is how the last episodes went."""

    def progress(done: int, total: int, note: str) -> None:
        earned = training.metrics.get("episode_reward")
        report(done, total, note if earned is None else f"return per agent {earned:.4g}, {note}")

    return progress


def _held_out(learner: Learner, env: VectorEnv, config: TrainingConfig, episodes: int) -> Episodes:
    return play_episodes(env, learner.actors, episodes=episodes, seed=config.seed)


def _save_result(training: Training, config: TrainingConfig, folder: Path) -> None:
    env, count = training.env, config.evaluation_episodes
    if not config.is_user_env:  # copies cost nothing
        env = build_env(config, max(config.learner.num_envs, min(count, EVALUATION_COPIES)))
    untrained = build_learner(config.learner, env.spec, config.seed, config.device)
    played = {
        "before": _held_out(untrained, env, config, count),
        "after": _held_out(training.learner, env, config, count),
    }
    tensors = {f"{when}/returns": torch.from_numpy(each.returns) for when, each in played.items()}
    tensors |= {f"{when}/steps": torch.from_numpy(each.steps) for when, each in played.items()}
    told = exchange_facts(training.channel, training.learner.spec.agent_names)
    state = {"num_updates": training.update} | told
    save_checkpoint(folder / "result", training.update, tensors, state)


def episodes_of(result: Checkpoint, when: str) -> Episodes:
    """What was played `before` or `after` training."""
    return Episodes(
        returns=result.tensors[f"{when}/returns"].numpy(),
        steps=result.tensors[f"{when}/steps"].numpy(),
    )

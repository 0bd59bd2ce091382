"""One run of the benchmark: train one condition with one seed, evaluate it, leave `result.json`.

Called by `ss_core.processes.pool` with plain arguments. Killed anywhere and called again it goes
on from its last checkpoint and leaves the same bytes.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from paper_envs.bench.results.curves import curve_ends, curve_point, read_curve
from paper_envs.bench.results.results import Cell, RunResult, read_result, write_result
from paper_envs.bench.results.timing import TIMING_FILE
from paper_envs.bench.runs.clock import RunClock
from paper_envs.tasks import make_env
from ss_core.config import config_hash, from_dict, to_dict
from ss_core.env import VectorEnv
from ss_core.learning.learner import LearnerConfig
from ss_core.learning.rollout import Rollout, collect_rollout
from ss_core.processes.child_tasks import Report, Stop
from ss_core.random_streams import Stream, drawn_seed, torch_generator
from ss_core.record.checkpoint import load_latest, prune_checkpoints
from ss_core.record.trace_writer import TraceWriter
from ss_core.training.loop import Training, restore, train
from ss_core.training.saved_learner import LEARNER_FILE, SavedLearner, write_learner_file

RESULT_FILE = "result.json"
PARTIAL_FILE = "partial.json"  # the same of a run that has not reached its end
CONDITION = ("cell", "learner", "env_options", "evaluation_episodes", "curve_points")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """All that determines one run, and where it goes."""

    cell: Cell
    seed: int
    learner: LearnerConfig
    env_options: Mapping[str, str] = field(default_factory=dict)
    evaluation_episodes: int = 128
    curve_points: int = 50
    device: str = "cpu"
    folder: str
    keep_policies: bool = True  # after the end; else only what was measured stays
    commits: int = 20  # checkpoints of a run, about

    @property
    def condition_sha256(self) -> str:
        """Hash of what runs with other seeds must share with this one."""
        plain = to_dict(self)
        return config_hash({name: plain[name] for name in CONDITION})


def train_run(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    """Train to the end, evaluate, write the result; returns whether that point was reached."""
    torch.set_num_threads(1)
    spec = from_dict(RunSpec, arguments, where="run")
    folder = Path(spec.folder)
    if not (folder / RESULT_FILE).exists():
        clock = RunClock(folder / TIMING_FILE)
        training = _training(spec)
        _describe(spec, folder)
        finished = _train(training, spec, clock, report, stop)
        if finished:
            write_result(_result(training, spec), folder / RESULT_FILE)
        clock.write()
        if not finished:
            return False
    _tidy(spec, folder)
    return True


def evaluate_run(arguments: Mapping[str, Any], _report: Report, _stop: Stop) -> bool:
    """Evaluate an unfinished run as its last checkpoint has it and leave `partial.json`."""
    torch.set_num_threads(1)
    spec = from_dict(RunSpec, arguments, where="run")
    folder = Path(spec.folder)
    checkpoint = None if (folder / RESULT_FILE).exists() else load_latest(folder)
    if checkpoint is None or _evaluated(folder / PARTIAL_FILE, checkpoint.update):
        return True
    training = _training(spec)
    restore(training, checkpoint.tensors)
    training.update = checkpoint.update
    write_result(_result(training, spec), folder / PARTIAL_FILE)
    return True


def _evaluated(path: Path, update: int) -> bool:
    """Whether a partial result is there of that update."""
    return path.exists() and read_result(path).num_updates == update


def _env(spec: RunSpec, num_envs: int) -> VectorEnv:
    return make_env(
        spec.cell.task,
        num_envs,
        num_agents=spec.cell.num_agents,
        device=spec.device,
        options=spec.env_options,
    )


def _training(spec: RunSpec) -> Training:
    env = _env(spec, spec.learner.num_envs)
    return Training.begin(spec.learner, env, spec.seed, spec.device)


def _train(training: Training, spec: RunSpec, clock: RunClock, report: Report, stop: Stop) -> bool:
    folder = Path(spec.folder)
    constants = {
        "run_id": spec.cell.slug,
        "algorithm": spec.cell.algorithm,
        "seed": spec.seed,
    }
    total = spec.learner.num_updates
    commit_every = max(1, -(-total // spec.commits))
    points = set(curve_ends(total, spec.curve_points).tolist())

    def progress(done: int, _total: int, _note: str) -> None:
        rollout = training.rollout
        if rollout is not None and done in points:
            clock.mark(done)
        if rollout is not None and done % commit_every == 0:
            clock.write()
        report(done, total, "" if rollout is None else f"{float(rollout.rewards.mean()):.3g}")

    return train(
        training,
        folder,
        TraceWriter(folder, level="kpi", constants=constants),
        evaluate=lambda now: curve_point(_rollout_of(now), now.learner.last_round),
        evaluate_every=1,
        commit_every=commit_every,
        progress=progress,
        stop_requested=stop,
    )


def _rollout_of(training: Training) -> Rollout:
    assert training.rollout is not None
    return training.rollout


def _result(training: Training, spec: RunSpec) -> RunResult:
    """What a run has come to, at its end or on the way."""
    rollout = _evaluation(training, spec)
    per_episode = rollout.rewards.double().mean(dim=(0, 2))
    cooperators = None
    if rollout.cooperative is not None:
        counts = rollout.cooperative.sum(dim=-1).flatten()
        cooperators = tuple(counts.bincount(minlength=spec.cell.num_agents + 1).tolist())
    config = spec.learner
    return RunResult(
        cell=spec.cell,
        seed=spec.seed,
        num_updates=training.update,
        planned_updates=config.num_updates,
        num_envs=config.num_envs,
        final_return=float(per_episode.mean()),
        evaluation_returns=tuple(per_episode.tolist()),
        agent_returns=tuple(rollout.rewards.double().mean(dim=(0, 1)).tolist()),
        cooperators=cooperators,
        curve=read_curve(
            Path(spec.folder),
            config.num_updates,
            config.num_envs,
            spec.curve_points,
            done=training.update,
        ),
        bytes_by_kind=training.channel.ledger.bytes_by_kind(),
    )


def _evaluation(training: Training, spec: RunSpec) -> Rollout:
    """Held-out episodes, the same for every condition, with stochastic policies."""
    return collect_rollout(
        _env(spec, spec.evaluation_episodes),
        training.learner.actors,
        seed=evaluation_seed(spec.seed),
        generator=torch_generator(spec.seed, Stream.PLAYED_ACTIONS, device=spec.device),
        with_successors=False,
    )


def evaluation_seed(seed: int) -> int:
    """Seed of the evaluation episodes of a run."""
    return drawn_seed(seed, Stream.HELD_OUT_EPISODES)


def _describe(spec: RunSpec, folder: Path) -> None:
    """Leave what `ss watch` needs to play the policies."""
    saved = SavedLearner(
        task=spec.cell.task,
        num_agents=spec.cell.num_agents,
        config=spec.learner,
        seed=spec.seed,
        options=dict(spec.env_options),
    )
    write_learner_file(folder, saved)


def _tidy(spec: RunSpec, folder: Path) -> None:
    """Keep the last checkpoint, or none; what was measured on the way goes."""
    (folder / PARTIAL_FILE).unlink(missing_ok=True)
    if spec.keep_policies:
        prune_checkpoints(folder, keep=1)
        return
    for name in (LEARNER_FILE, "LATEST"):
        (folder / name).unlink(missing_ok=True)
    if (folder / "checkpoints").is_dir():
        shutil.rmtree(folder / "checkpoints")

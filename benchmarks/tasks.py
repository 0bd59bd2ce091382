"""Final returns of algorithms in one of the paper's tasks, paired by seed.

    .venv/bin/python benchmarks/tasks.py --task cleanup-small --algorithms ss,vs --seeds 10

Every run is one of `ss bench paper`: tuned preset, 128 held-out episodes, stochastic policies.
Printed are interquartile means over seeds with 95 % bootstrap intervals, and the difference of the
first algorithm to each other one, seed by seed. `--set` changes the learner; finished runs below
`--out` are kept, so that the same command goes on where it was.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from jaxtyping import Float

from paper_envs.bench.results.results import Cell, RunResult, read_result
from paper_envs.bench.results.timing import TIMING_FILE, read_timing
from paper_envs.bench.runs.run import RESULT_FILE, RunSpec
from paper_envs.bench.runs.run_specs import is_finished, task_of
from paper_envs.presets import env_options, learner_config
from paper_envs.tasks import TASKS
from ss_core.config import config_hash, parse_assignment, replace_paths, to_dict
from ss_core.processes.pool import run_pool
from ss_core.random_streams import Stream, numpy_generator
from ss_core.statistics import Interval, bootstrap_interval, interquartile_mean, mean


def spec_of(
    task: str, agents: int, algorithm: str, seed: int, updates: int, changes: Mapping[str, Any]
) -> RunSpec:
    """One run; `folder` is below the folder of all."""
    cell = Cell(task=task, num_agents=agents, preset="tuned", algorithm=algorithm)
    tuned = learner_config(task, agents, "tuned", algorithm, num_updates=updates)
    learner = replace_paths(tuned, changes)
    return RunSpec(
        cell=cell,
        seed=seed,
        learner=learner,
        env_options=dict(env_options(task, "tuned")),
        folder=f"{cell.slug}-{config_hash(to_dict(learner))[:8]}/seed{seed}",
        keep_policies=False,
    )


def interval(values: Float[np.ndarray, " seed"], *, paired: bool = False) -> Interval:
    """Interquartile mean over seeds with its interval; of differences by seed, plain mean."""
    rng = numpy_generator(0, Stream.BOOTSTRAP)
    return bootstrap_interval(values, mean if paired else interquartile_mean, rng=rng)


def line(algorithm: str, runs: list[RunResult], seconds: list[float]) -> str:
    """What is told of one algorithm."""
    finals = np.array([run.final_return for run in runs])
    spec, agents = TASKS[runs[0].cell.task], runs[0].cell.num_agents
    sums = interval(finals * agents * spec.horizon)
    sent = np.mean([sum(run.bytes_by_kind.values()) for run in runs]) / agents / 1e6
    seeds = " ".join(f"{value:.3f}" for value in finals)
    return (
        f"{algorithm:12} averaged return {interval(finals):.3f} | collective {sums:.1f} an episode"
        f" | seeds {seeds} | {np.mean(seconds):.0f} CPU s | {sent:.3g} MB sent by an agent"
    )


def main() -> int:
    """Run what is missing, then print the lines."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--task", choices=tuple(TASKS), default="cleanup-small")
    parser.add_argument("--agents", type=int, default=None)
    parser.add_argument("--algorithms", default="ss,vs", help="with commas; the first is compared")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=100, help="tuning used seeds 0 to 4")
    parser.add_argument("--updates", type=int, default=240)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("bench/tasks"))
    args = parser.parse_args()
    agents = args.agents or TASKS[args.task].num_agents
    changes = dict(parse_assignment(each) for each in args.set)
    specs = {
        name: [
            spec_of(args.task, agents, name, args.first_seed + k, args.updates, changes)
            for k in range(args.seeds)
        ]
        for name in args.algorithms.split(",")
    }
    placed = {
        name: [replace_paths(one, {"folder": str(args.out / one.folder)}) for one in each]
        for name, each in specs.items()
    }
    waiting = [task_of(one) for each in placed.values() for one in each if not is_finished(one)]
    failures = run_pool(waiting, args.workers, lambda *_: None) if waiting else []
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    if failures:
        return 1
    finals: dict[str, np.ndarray] = {}
    for name, each in placed.items():
        runs = [read_result(Path(one.folder) / RESULT_FILE) for one in each]
        seconds = [read_timing(Path(one.folder) / TIMING_FILE).cpu_s for one in each]
        finals[name] = np.array([run.final_return for run in runs])
        print(line(name, runs, seconds))
    first, *others = finals
    for other in others:
        paired = interval(finals[first] - finals[other], paired=True)
        print(f"{first} less {other}, by seed: {paired:+.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

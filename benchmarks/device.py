"""Whether a device learns as the CPU does: one update to rounding, then finals of short trainings.

    .venv/bin/python benchmarks/device.py --device cuda [--task cleanup-small] [--seeds 3]

Both start from the same parameters and learn from the same episodes, so that one update may differ
by rounding alone. Then each trains from scratch, with random numbers of its own kind, and the
device's interquartile mean is set beside the CPU's interval over seeds.
"""

import argparse
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch

from paper_envs.presets import env_options, learner_config
from paper_envs.tasks import TASKS, make_env
from paper_envs.training.episodes import play_episodes
from ss_core.algorithms.build import build_learner
from ss_core.algorithms.registry import algorithm_named
from ss_core.exchange.channel import Channel
from ss_core.learning.learner import Learner, LearnerConfig, learner_tensors
from ss_core.learning.rollout import Rollout, collect_rollout
from ss_core.random_streams import Stream, numpy_generator
from ss_core.statistics import bootstrap_interval, interquartile_mean
from ss_core.training.loop import Training

TASK_NAMES = ("cleanup", "harvest", "cleanup-small", "predation")
ENCODINGS = {"cleanup": ("egocentric", "planes"), "harvest": ("egocentric", "planes")}
SEED = 0


def config_of(task: str, updates: int) -> LearnerConfig:
    return learner_config(task, TASKS[task].num_agents, "tuned", "ss", num_updates=updates)


def moved(rollout: Rollout, device: str) -> Rollout:
    """The same rollout on another device."""
    columns = {one.name: getattr(rollout, one.name) for one in fields(rollout)}
    there: dict[str, Any] = {k: None if x is None else x.to(device) for k, x in columns.items()}
    return Rollout(**there)


def one_update(task: str, options: dict[str, str], device: str) -> float:
    """How far parameters are apart after one update, relative to the length of the step taken."""
    config = config_of(task, 100)
    env = make_env(task, config.num_envs, options=options)
    here, there = (build_learner(config, env.spec, SEED, each) for each in ("cpu", device))
    before = {k: t.clone() for k, t in learner_tensors(here).items() if k != "generator"}
    for name, tensor in learner_tensors(there).items():
        if name != "generator":
            with torch.no_grad():
                tensor.copy_(before[name])
    rollout = collect_rollout(env, here.actors, seed=SEED, generator=here.generator)
    learn = algorithm_named(config.algorithm).learn
    for learner, seen in ((here, rollout), (there, moved(rollout, device))):
        learn(learner, seen, env, Channel(config.exchange, env.spec.num_agents, SEED), 0)
    return _difference(here, there, before)


def _difference(here: Learner, there: Learner, before: dict[str, torch.Tensor]) -> float:
    """By length of the whole: Adam makes a full step of any gradient, one of rounding included."""
    after, other = learner_tensors(here), learner_tensors(there)
    names = [k for k in before if k.startswith(("actor/", "critic/"))]
    step = sum(float((after[k] - before[k]).square().sum()) for k in names)
    return (sum(float((after[k] - other[k].cpu()).square().sum()) for k in names) / step) ** 0.5


def final(task: str, seed: int, updates: int, device: str) -> float:
    """Averaged return of held-out episodes after a training on a device."""
    config, options = config_of(task, updates), dict(env_options(task, "tuned"))
    env = make_env(task, config.num_envs, device=device, options=options)
    training = Training.begin(config, env, seed, device)
    for _ in range(updates):
        training.advance()
    held_out = make_env(task, 128, device=device, options=options)
    played = play_episodes(held_out, training.learner.actors, episodes=128, seed=seed)
    return float(played.averaged.mean())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--task", choices=TASK_NAMES, default="cleanup-small")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=100)
    parser.add_argument("--tolerance", type=float, default=5e-2)
    args = parser.parse_args()
    worst = 0.0
    for task in TASK_NAMES:
        for encoding in ENCODINGS.get(task, ("",)):
            options = {"encoding": encoding} if encoding else {}
            off = one_update(task, options, args.device)
            worst = max(worst, off)
            name = f"{task} {encoding}".strip()
            print(
                f"one update of {name}: {args.device} differs from cpu by {off:.1e} of a step",
                flush=True,
            )
    scores = {}
    for device in dict.fromkeys(("cpu", args.device)):
        started = time.perf_counter()
        scores[device] = [final(args.task, s, args.updates, device) for s in range(args.seeds)]
        each = (time.perf_counter() - started) / args.seeds
        shown = " ".join(f"{score:.3f}" for score in scores[device])
        print(f"{args.task}, {args.updates} updates on {device}: {shown} ({each:.0f} s a seed)")
    rng = numpy_generator(SEED, Stream.BOOTSTRAP)
    interval = bootstrap_interval(np.array(scores["cpu"]), interquartile_mean, rng=rng)
    reached = float(interquartile_mean(np.array(scores[args.device])))
    inside = interval.low <= reached <= interval.high
    print(
        f"{args.device} reaches {reached:.3f}, {'inside' if inside else 'OUTSIDE'} the cpu's"
        f" [{interval.low:.3f}, {interval.high:.3f}]"
    )
    return 0 if worst <= args.tolerance else 1


if __name__ == "__main__":
    sys.exit(main())

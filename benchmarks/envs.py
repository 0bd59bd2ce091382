"""How fast the grid worlds step: agent-steps per second on one thread, observations included.

    python benchmarks/envs.py [--agents 5] [--repeats 5] [--seconds 0.5]

Random play; every step packs a fresh float32 row of the whole board for every agent; "rules alone"
leaves the packing out. Figures are the best of the repeats, in processor time of the one thread,
actions drawn beforehand. At 1024 copies a step writes 21 MB, so that memory sets the pace.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch

from paper_envs.grid.env import CleanupEnv, GridEnv, HarvestEnv

SOCIALJAX_PER_S = 19_000  # its Cleanup on one thread of a comparable processor, at its best (E = 1)
NUM_ACTION_SETS = 100


def calls_per_s(action: Callable[[int], object], repeats: int, seconds: float) -> float:
    """Calls per second of processor time: the best repeat, after some calls to warm up."""
    for k in range(3):
        action(k)
    best = 0.0
    for _ in range(repeats):
        count, start = 0, time.process_time()
        while (elapsed := time.process_time() - start) < seconds:
            for _ in range(10):
                action(count % NUM_ACTION_SETS)
                count += 1
        best = max(best, count / elapsed)
    return best


def measure(env: GridEnv, repeats: int, seconds: float) -> tuple[float, float]:
    """Agent-steps per second: of whole steps, of the rules alone."""
    shape = (env.spec.num_envs, env.spec.num_agents)
    generator = torch.Generator().manual_seed(0)
    drawn = [
        torch.randint(env.spec.num_actions, shape, generator=generator)
        for _ in range(NUM_ACTION_SETS)
    ]
    env.reset(0)
    whole = calls_per_s(lambda k: env.step(drawn[k]), repeats, seconds)
    rewards, cooperative = np.empty(shape, np.float32), np.empty(shape, bool)
    arrays = [actions.numpy() for actions in drawn]  # both games number all actions of the rules
    rules = calls_per_s(
        lambda k: env.game.advance(env.state, arrays[k], rewards, cooperative), repeats, seconds
    )
    return whole * shape[0] * shape[1], rules * shape[0] * shape[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"{'world':10} {'E':>5} {'floats':>6} {'agent-steps/s':>14} {'rules alone':>12} {'GB/s':>6}"
    )
    for make in (CleanupEnv, HarvestEnv):
        for num_envs in (1, 64, 1024):
            env = make(num_envs, num_agents=arguments.agents)
            whole, rules = measure(env, arguments.repeats, arguments.seconds)
            size = env.spec.observation_size
            print(
                f"{env.game.name:10} {num_envs:5} {size:6} {whole:14,.0f} {rules:12,.0f} "
                f"{whole * size * 4 / 1e9:6.1f}   {whole / SOCIALJAX_PER_S:6.0f} x SocialJax"
            )


if __name__ == "__main__":
    main()

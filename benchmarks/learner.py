"""How fast one update is: against the machine, a plain loop, in N, by algorithm, beside others.

    python benchmarks/learner.py [--repeats 5]
        [--parts share loop scaling algorithms full benchmarl]

One thread; every ratio is taken inside one run, of processor time (the least of the repeats, and
the median where both are shown). BenchMARL's part is left out where it is not installed: give it an
environment of its own that also sees this project's packages, and run this file there. The program
starts itself again with an allocator that keeps its memory (`--allocator default` does not): the
temporary arrays of an update are then not handed back to the system and zeroed anew each time.
"""

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.algorithms import EPOCHS, by_algorithm
from benchmarks.full_size import full_size
from benchmarks.timing import least_cpu_s
from ss_core.algorithms.build import build_learner
from ss_core.algorithms.ss import improve
from ss_core.env import EnvSpec
from ss_core.exchange.channel import Channel, ExchangeConfig
from ss_core.exchange.neighbourhood import Neighbourhood
from ss_core.learning.action_advantages import ActionAdvantages, from_samples
from ss_core.learning.decisions import Decisions
from ss_core.learning.learner import Learner, LearnerConfig
from ss_core.objective.action_families import Finite
from ss_core.policies.actors import Architecture

KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "67108864",
}
CLIP_EPS, RHO = 0.2, 0.1


class Case:
    """A learner with random decisions to learn from."""

    def __init__(
        self,
        architecture: Architecture,
        hidden: tuple[int, ...],
        sizes: tuple[int, int, int, int],  # agents, observation, actions, decisions
        degree: int | None = None,
        features: int = 0,
    ) -> None:
        n, o, a, b = sizes
        draw = torch.Generator().manual_seed(0)
        spec = EnvSpec(
            num_envs=1,
            num_agents=n,
            num_actions=a,
            observation_size=o,
            horizon=b,
            agent_names=tuple(map(str, range(n))),
            candidate_size=features,
            public_size=max(0, features - 1),
        )
        exchange = ExchangeConfig(
            protocol="random" if degree else "all", num_neighbours=degree or 1
        )
        self.config = LearnerConfig(
            architecture=architecture, hidden=hidden, num_epochs=EPOCHS, exchange=exchange
        )
        self.learner: Learner = build_learner(self.config, spec, seed=0)
        self.channel = Channel(exchange, n, seed=0)
        self.where: Neighbourhood = self.channel.neighbourhood(0)
        observations = torch.randn((b, n, o), generator=draw)
        with torch.no_grad():
            old = self.learner.actors.own(observations, None)
        self.decisions = Decisions(
            rows=torch.arange(b)[:, None].expand(b, n),
            valid=torch.ones((b, n), dtype=torch.bool),
            observations=observations,
            actions=torch.randint(0, a, (b, n), generator=draw),
            old_log_probs=old,
            action_mask=None,
            num_steps=b,
        )
        advantages = torch.randn((b, 1, n), generator=draw)
        self.advantages: ActionAdvantages = from_samples(
            advantages, self.decisions, self.where, Finite(a)
        )

    def update(self) -> None:
        """One update of all actors: K exchanges and steps."""
        args = (self.decisions, self.advantages, self.channel, self.where, 0)
        improve(self.learner, *args)
        self.channel.ledger.take_rows()


class PlainLoop:
    """The same update as one would first write it: N² modules, a loop, torch's plain Adam."""

    def __init__(self, case: Case) -> None:
        self.case = case
        params = case.learner.actors.params
        n = case.learner.spec.num_agents
        self.nets = [[_module(params, i, j) for j in range(n)] for i in range(n)]
        self.optimisers = [
            torch.optim.Adam(
                [w for net in row for w in net.parameters()],
                lr=case.config.actor_lr,
                foreach=False,
                fused=False,
            )
            for row in self.nets
        ]

    def update(self) -> None:
        """K passes: everybody shares and suggests, then everybody takes a step."""
        decisions = self.case.decisions
        n = len(self.nets)
        observed = [decisions.observations[:, i] for i in range(n)]
        first: list[Tensor] = []  # π^jj as shared before the first step
        for _ in range(EPOCHS):
            said = [
                [torch.log_softmax(self.nets[i][j](observed[i]), dim=-1) for j in range(n)]
                for i in range(n)
            ]
            told = [[x.detach() for x in row] for row in said]
            first = first or [told[j][j] for j in range(n)]
            for i in range(n):
                loss = -self._objective(i, said[i], told, first)
                self.optimisers[i].zero_grad()
                loss.backward()
                self.optimisers[i].step()

    def _objective(
        self, i: int, said: list[Tensor], told: list[list[Tensor]], first: list[Tensor]
    ) -> Tensor:
        """Eq. 16 of agent i, averaged over decisions."""
        actions = self.case.decisions.actions
        advantage = self.case.advantages.own_advantages[:, i, 0]
        old = self.case.decisions.old_log_probs[:, i]
        others = [j for j in range(len(first)) if j != i]

        def at_action(log_probs: Tensor, j: int) -> Tensor:
            return log_probs.gather(1, actions[:, j, None]).squeeze(1)

        xi = torch.exp(at_action(said[i], i) - at_action(old, i))
        log_ratios = [at_action(said[j], j) - at_action(first[j], j) for j in others]
        gain = torch.exp(torch.stack(log_ratios).sum(dim=0)) * advantage
        total = torch.minimum(xi * gain, xi.clamp(1 - CLIP_EPS, 1 + CLIP_EPS) * gain)
        kappa = advantage.abs().mean()
        for j in others:
            for mine, theirs, at in ((said[j], told[j][j], j), (said[i], told[j][i], i)):
                ratio = torch.exp(at_action(mine.detach(), at) - at_action(theirs, at))
                active = ratio * advantage >= advantage
                distance = (mine.exp() - theirs.exp()).square().sum(dim=1)
                total = total - kappa * RHO * active * distance
        return total.mean()


def _module(params: dict[str, Tensor], i: int, j: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for layer in range(len(params) // 2):
        weight = params[f"w{layer}"][i, j].detach()
        linear = nn.Linear(weight.shape[0], weight.shape[1])
        with torch.no_grad():
            linear.weight.copy_(weight.T)
            linear.bias.copy_(params[f"b{layer}"][i, j, 0])
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def executed_gflop(sizes: tuple[int, ...], nets: int, rows: int) -> float:
    """Products of K passes: forward, gradients of weights and of all inputs but the first."""
    layers = [a * b for a, b in pairwise(sizes)]
    per_row = 2 * (3 * sum(layers) - layers[0])
    return EPOCHS * nets * rows * per_row / 1e9


def share_of_peak(repeats: int) -> None:
    """(a) GFLOP/s of the update at the paper's largest networks as share of one big product."""
    a, b, out = torch.randn(2048, 2048), torch.randn(2048, 2048), torch.empty(2048, 2048)
    for rows, target in ((400, 70), (1600, 80)):
        case = Case("independent", (1024, 256), (5, 675, 8, rows))
        spent, product = least_cpu_s([case.update, lambda: torch.mm(a, b, out=out)], repeats)
        peak = 2 * 2048**3 / product / 1e9
        work = executed_gflop((675, 1024, 256, 8), nets=25, rows=rows)
        rate = work / spent
        print(
            f"share    N=5 (1024,256) O=675 A=8 B={rows}: {spent * 1e3:.0f} ms, {rate:.1f} GFLOP/s"
            f" of {peak:.1f} = {100 * rate / peak:.0f} % (target {target} %)"
        )


def against_loop(repeats: int) -> None:
    """(b) The update against a plain loop over N² modules that does the same."""
    case = Case("independent", (128, 64), (8, 8, 2, 30))
    loop = PlainLoop(case)
    stacked, plain = least_cpu_s([case.update, loop.update], 3 * repeats)
    learned = case.learner.actors.params["w1"].detach()
    hidden = [[net.get_parameter("2.weight").T for net in row] for row in loop.nets]
    same = torch.stack([torch.stack(row) for row in hidden])
    print(
        f"loop     N=8 (128,64) O=8 A=2 B=30: {stacked * 1e3:.1f} ms, plain loop {plain * 1e3:.1f}"
        f" ms = {plain / stacked:.1f} x (target 6 x); weights differ by"
        f" {(learned - same).abs().max():.1e} after {3 * repeats + 1} updates"
    )


def scaling(repeats: int) -> None:
    """(c) Cost per agent and decision with eight neighbours, from N = 50 to 200."""
    cases = (("shared", (128, 64), 0), ("candidates", (16,), 35))
    for name, hidden, features in cases:
        o, a, b = (features * 8, 8, 100) if features else (20, 5, 96)
        counts = (50, 100, 200)
        sizes = [(n, o, a, b) for n in counts]
        work = [Case("shared", hidden, size, degree=8, features=features).update for size in sizes]
        each = least_cpu_s(work, repeats) / (np.array(counts) * b) * 1e6
        for n, cost in zip(counts, each, strict=True):
            print(
                f"scaling  {name} {hidden} m=8 N={n} B={b}: {cost:.1f} us per agent and decision,"
                f" {100 * cost / each[0]:.0f} % of N=50 (target 80-120 %)"
            )


def benchmarl(repeats: int) -> None:
    """(e) Beside BenchMARL, where it is."""
    if any(importlib.util.find_spec(name) is None for name in ("benchmarl", "vmas")):
        print("benchmarl  left out: not installed here (how to: docs/results/speed.md)")
        return
    from benchmarks.ippo import beside_benchmarl

    beside_benchmarl(repeats)


PARTS: dict[str, Callable[[int], None]] = {
    "share": share_of_peak,
    "loop": against_loop,
    "scaling": scaling,
    "algorithms": by_algorithm,
    "full": full_size,
    "benchmarl": benchmarl,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--parts", nargs="+", choices=tuple(PARTS), default=tuple(PARTS))
    parser.add_argument("--allocator", choices=("keep", "default"), default="keep")
    args = parser.parse_args()
    if args.allocator == "keep" and any(os.environ.get(k) != v for k, v in KEEP_MEMORY.items()):
        environment = os.environ | KEEP_MEMORY | {"OMP_NUM_THREADS": "1"}
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)
    torch.set_num_threads(1)
    for part in args.parts:
        PARTS[part](args.repeats)


if __name__ == "__main__":
    main()

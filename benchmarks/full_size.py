"""Cleanup and Harvest at full size: sparse first layers against dense ones, updates, training.

A part of `benchmarks/learner.py`. The dense form is the encoding `planes` of the same tasks, with
the same networks otherwise.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.timing import least_cpu_s
from paper_envs.presets import env_options, learner_config
from paper_envs.tasks import make_env
from ss_core.policies.mlp_stack import forward_agents, init_stack
from ss_core.training.loop import Training

AGENTS, HIDDEN = 4, 64
TARGETS = {"harvest": 3.0, "cleanup": 8.0}  # of the first layer
WHOLE_UPDATE = 1.7  # target
SOCIALJAX = (  # arXiv 2503.14576: a billion steps of Coins in three hours
    "SocialJax publishes 93 k environment steps/s in training (Coins, one A100)"
)


@dataclass(frozen=True)
class FirstLayer:
    """Forward and backward of four networks of one layer on what an update sees."""

    params: dict[str, Tensor]
    rows: Tensor  # [B, N, O]

    def work(self) -> None:
        """Both directions."""
        out = forward_agents(self.params, self.rows)
        torch.autograd.grad(out, list(self.params.values()), torch.ones_like(out))


def full_size(repeats: int) -> None:
    """(f) First layers, whole updates and training throughput on sparse rows and on planes."""
    for task, target in TARGETS.items():
        sparse, dense = (_training(task, "ss", encoding) for encoding in ("egocentric", "planes"))
        layers = [_first_layer(each).work for each in (sparse, dense)]
        gathered, product = least_cpu_s(layers, 5 * repeats)
        print(
            f"full     {task} first layer, {AGENTS} x {_rows(sparse)} rows, H={HIDDEN}: gather-sum"
            f" {1e3 * gathered:.1f} ms, product {1e3 * product:.1f} ms ="
            f" {product / gathered:.1f} x (target {target:g} x)"
        )
        alone = _training(task, "independent", "egocentric")
        work = [each.advance for each in (sparse, dense, alone)]
        fast, slow, selfish = least_cpu_s(work, repeats)
        print(
            f"full     {task} whole update of {sparse.env.spec.num_envs} episodes, SS: sparse"
            f" {1e3 * fast:.0f} ms, dense {1e3 * slow:.0f} ms = {slow / fast:.1f} x"
            f" (target {WHOLE_UPDATE:g} x)"
        )
        steps = _rows(sparse)
        print(
            f"full     {task} training, one thread: SS {steps / fast / 1e3:.1f} k environment"
            f" steps/s ({AGENTS * steps / fast / 1e3:.0f} k agent steps/s), independent"
            f" {steps / selfish / 1e3:.1f} k ({AGENTS * steps / selfish / 1e3:.0f} k); {SOCIALJAX}"
        )


def _training(task: str, algorithm: str, encoding: str) -> Training:
    config = learner_config(task, AGENTS, "tuned", algorithm, num_updates=1000)
    options = {**env_options(task, "tuned"), "encoding": encoding}
    env = make_env(task, config.num_envs, num_agents=AGENTS, options=options)
    training = Training.begin(config, env, seed=0)
    training.advance()
    return training


def _rows(training: Training) -> int:
    spec = training.env.spec
    return spec.num_envs * spec.horizon


def _first_layer(training: Training) -> FirstLayer:
    spec, rollout = training.env.spec, training.rollout
    assert rollout is not None
    sizes = (spec.input_size, HIDDEN)
    draw = training.learner.generator
    params = init_stack((AGENTS,), sizes, draw, active=spec.active_size)
    return FirstLayer(params, rollout.observations.flatten(0, 1))

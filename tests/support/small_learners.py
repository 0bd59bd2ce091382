"""Small environments' sizes, random decisions and learners for the tests of the learner's core."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ss_core.algorithms.build import build_learner
from ss_core.env import EnvSpec
from ss_core.learning.decisions import Decisions
from ss_core.learning.learner import Learner, LearnerConfig
from ss_core.objective.action_families import sample_actions
from ss_core.policies.actors import ActorBank, Architecture, build_actors
from ss_core.record.trace_writer import TraceWriter
from ss_core.training.loop import Training, train

# (architecture, candidate features): all five banks
BANKS: tuple[tuple[Architecture, int], ...] = (
    ("independent", 0),
    ("multihead", 0),
    ("shared", 0),
    ("tilted", 0),
    ("shared", 4),
)
BANK_IDS = ("independent", "multihead", "conditioned", "tilted", "candidates")


def sizes(agents: int = 4, actions: int = 3, features: int = 0) -> EnvSpec:
    return EnvSpec(
        num_envs=1,
        num_agents=agents,
        num_actions=actions,
        observation_size=actions * features or 5,
        horizon=6,
        agent_names=tuple(f"agent_{i}" for i in range(agents)),
        candidate_size=features,
        public_size=max(0, features - 1),
    )


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small_bank(
    architecture: Architecture,
    features: int = 0,
    *,
    agents: int = 4,
    hidden: tuple[int, ...] = (6,),
    settled: bool = True,
) -> ActorBank:
    """A bank of random networks; `settled` moves zero-initialised layers away from zero."""
    bank = build_actors(architecture, sizes(agents, features=features), hidden, generator(1))
    if settled:
        shake(bank.params)
    return bank


def trained_to_the_end(training: Training, folder: Path, *, commit_every: int) -> None:
    """Run `train` in `folder`, with a trace and nothing else."""
    writer = TraceWriter(
        folder, constants={"run_id": "r", "algorithm": "ss", "seed": training.seed}
    )
    assert train(
        training,
        folder,
        writer,
        evaluate=lambda _: {},
        evaluate_every=9,
        commit_every=commit_every,
        progress=lambda *_: None,
        stop_requested=lambda: False,
    )


def shake(params: dict[str, Tensor]) -> None:
    """Add noise to every parameter."""
    draw = generator(2)
    with torch.no_grad():
        for w in params.values():
            w += 0.3 * torch.randn(w.shape, generator=draw)


def random_decisions(
    spec: EnvSpec, bank: ActorBank, *, rows: int = 6, masked: bool = False
) -> Decisions:
    """Decisions on random observations, taken by the bank's own policies."""
    draw = generator(3)
    n, a = spec.num_agents, spec.num_actions
    observations = torch.randn((rows, n, spec.observation_size), generator=draw)
    mask = None
    if masked:
        mask = torch.rand((rows, n, a), generator=draw) < 0.6
        mask[..., 0] = True
    with torch.no_grad():
        old = bank.own(observations, mask)
    return Decisions(
        rows=torch.arange(rows)[:, None].expand(rows, n),
        valid=torch.ones((rows, n), dtype=torch.bool) if mask is None else mask.sum(dim=-1) > 1,
        observations=observations,
        actions=sample_actions(old, draw),
        old_log_probs=old,
        action_mask=mask,
        num_steps=rows,
    )


def small_learner(
    config: LearnerConfig, spec: EnvSpec, *, seed: int = 0, settled: bool = True
) -> Learner:
    """A learner of small networks."""
    small = replace(config, hidden=(6,), critic_hidden=(6,))
    learner = build_learner(small, spec, seed)
    if settled:
        shake(learner.actors.params)
    return learner

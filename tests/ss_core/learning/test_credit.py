"""Private models of credit: they find effects that were put there, and nothing else's."""

import pytest
import torch

from ss_core.algorithms.build import build_learner
from ss_core.env import EnvSpec
from ss_core.errors import ConfigError
from ss_core.exchange.neighbourhood import all_to_all, nobody, random_regular
from ss_core.learning.credit import CreditModel, build_credit, estimated_alternatives, fitted, meets
from ss_core.learning.learner import LearnerConfig, learner_tensors, restore_learner
from ss_core.learning.rollout import Rollout
from ss_core.objective.objective import ObjectiveWeights

N, A, DAYS = 3, 2, 400
SPEC = EnvSpec(
    num_envs=DAYS,
    num_agents=N,
    num_actions=A,
    observation_size=A * (N * A + A),
    horizon=1,
    agent_names=("a", "b", "c"),
    candidate_size=N * A + A,
    public_size=N * A,
    own_size=A,
)
EFFECT = torch.tensor([[1.0, -2.0, 0.0], [0.5, 3.0, 0.0], [0.0, 0.0, 0.0]])  # of j's action 1 on i


def rows() -> torch.Tensor:
    """Public: who and which; own: which."""
    each = torch.eye(N * A).reshape(N, A, N * A)
    own = torch.eye(A).expand(N, A, A)
    return torch.cat([each, own], dim=-1).reshape(N, -1)


def days(seed: int, chance: float = 0.5) -> tuple[Rollout, torch.Tensor]:
    """Random choices, and what they brought: the effects of all, and noise."""
    generator = torch.Generator().manual_seed(seed)
    actions = (torch.rand((1, DAYS, N), generator=generator) < chance).long()
    noise = 0.1 * torch.randn((1, DAYS, N), generator=generator)
    rewards = actions.float() @ EFFECT.T + noise
    log_probs = torch.tensor([1.0 - chance, chance]).log().expand(1, DAYS, N, A)
    none = torch.zeros((1, DAYS), dtype=torch.bool)
    observations = rows().expand(1, DAYS, N, -1)
    return Rollout(
        observations, observations, actions, log_probs, rewards, ~none, none, None, None
    ), rewards


def estimate(model: CreditModel, seed: int, chance: float = 0.5) -> tuple[torch.Tensor, ...]:
    rollout, rewards = days(seed, chance)
    where = all_to_all(N)
    table = estimated_alternatives(model, SPEC, rollout, rewards, where, forget=0.0, ridge=1.0)
    return table.own[0, 0], table.peers[0, 0]


@pytest.mark.parametrize("chance", [0.5, 0.2])
def test_effects_are_found_whatever_the_policies(chance: float) -> None:
    own, peers = estimate(build_credit(SPEC), seed=1, chance=chance)
    assert own[:, 1] - own[:, 0] == pytest.approx(EFFECT.diagonal().tolist(), abs=0.15)
    receivers = all_to_all(N).receivers
    for i in range(N):
        found = (peers[i, :, 1] - peers[i, :, 0]).tolist()
        assert found == pytest.approx(EFFECT[i, receivers[i]].tolist(), abs=0.15)


def test_an_agent_that_meets_nobody_learns_of_its_own_actions_only() -> None:
    rollout, rewards = days(2)
    model = build_credit(SPEC)
    table = estimated_alternatives(model, SPEC, rollout, rewards, nobody(N), forget=0.0, ridge=1.0)
    assert table.peers.shape == (1, DAYS, N, 0, A)
    assert float(fitted(model, 1.0)[:, A:].abs().max()) == 0.0


def test_who_never_meets_anybody_needs_no_room_for_neighbours() -> None:
    rollout, rewards = days(2)
    small, large = build_credit(SPEC, of_neighbours=False), build_credit(SPEC)
    tables = [
        estimated_alternatives(model, SPEC, rollout, rewards, nobody(N), forget=0.0, ridge=1.0)
        for model in (small, large)
    ]
    assert small.gram.shape == (N, A, A)
    torch.testing.assert_close(tables[0].own, tables[1].own)


def test_old_days_fade() -> None:
    model = build_credit(SPEC)
    estimate(model, seed=3)
    before = model.gram.clone()
    rollout, rewards = days(4)
    estimated_alternatives(
        model, SPEC, rollout, torch.zeros_like(rewards), all_to_all(N), forget=1.0, ridge=1.0
    )
    assert not torch.equal(model.gram, before)
    assert float(fitted(model, 1.0).abs().max()) == pytest.approx(0.0, abs=1e-6)


def test_one_agents_model_does_not_depend_on_anothers_rewards() -> None:
    rollout, rewards = days(5)
    changed = rewards.clone()
    changed[..., 0] += 10.0 * torch.randn(DAYS, generator=torch.Generator().manual_seed(0))
    models = [build_credit(SPEC), build_credit(SPEC)]
    for model, seen in zip(models, (rewards, changed), strict=True):
        estimated_alternatives(model, SPEC, rollout, seen, all_to_all(N), forget=0.1, ridge=1.0)
    assert torch.equal(models[0].moment[1:], models[1].moment[1:])
    assert not torch.equal(models[0].moment[0], models[1].moment[0])


def test_pairs_that_meet_are_the_neighbourhood() -> None:
    import numpy as np

    where = random_regular(5, 2, np.random.default_rng(0))
    met = meets(where, 1)[0]
    assert met.sum(dim=1).tolist() == [2.0] * 5
    for i in range(5):
        assert met[i].nonzero().flatten().tolist() == where.receivers[i].tolist()


def model_config() -> LearnerConfig:
    weights = ObjectiveWeights(rho=1.0, rho_follow=1.0, surrogate="additive", indicators=False)
    return LearnerConfig(
        architecture="shared", hidden=(), critic_hidden=(), credit="model", objective=weights
    )


def test_the_model_is_part_of_a_checkpoint() -> None:
    first, second = (build_learner(model_config(), SPEC, seed) for seed in (0, 1))
    assert first.credit is not None
    estimate(first.credit, seed=6)
    restore_learner(second, {k: w.clone() for k, w in learner_tensors(first).items()})
    assert second.credit is not None
    assert torch.equal(first.credit.gram, second.credit.gram)


def test_a_world_without_features_of_actions_is_refused() -> None:
    spec = EnvSpec(
        num_envs=1, num_agents=2, num_actions=2, observation_size=3, horizon=1,
        agent_names=("a", "b"),
    )  # fmt: skip
    with pytest.raises(ConfigError, match="describes actions by features"):
        build_learner(model_config(), spec, 0)

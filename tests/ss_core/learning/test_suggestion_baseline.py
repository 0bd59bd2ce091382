"""What an agent's own action explains is no reason to suggest anything; values per step left."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ss_core.algorithms.build import build_learner
from ss_core.env import EnvSpec
from ss_core.exchange.channel import Channel
from ss_core.learning.action_advantages import less_own_action
from ss_core.learning.learner import LearnerConfig, learner_tensors
from ss_core.learning.rollout import Rollout, collect_rollout
from ss_core.policies.critics import CriticBank, build_critics, discounted_steps
from ss_core.training.loop import Training
from tests.support.probe_envs import mutual_help
from tests.support.small_learners import generator, sizes

BASELINE = LearnerConfig(
    architecture="shared",
    hidden=(8,),
    critic_hidden=(16,),
    critic_lr=2e-2,
    num_envs=64,
    suggestion_baseline=True,
)


def test_what_the_own_action_explains_is_taken_away_and_the_rest_is_not() -> None:
    env = mutual_help(num_envs=64, horizon=1)  # reward: the other's help less 0.2 of one's own
    learner = build_learner(BASELINE, env.spec, 0)

    def collected(number: int) -> tuple[Rollout, Tensor]:
        rollout = collect_rollout(env, learner.actors, seed=number, generator=learner.generator)
        return rollout, less_own_action(learner, rollout, rollout.rewards, number)

    rollout, left = [collected(number) for number in range(60)][-1]
    helps = rollout.actions.to(torch.float32)
    others = helps.flip(-1)  # two agents
    expected = others - helps.mean().item()
    assert left.sub(expected).abs().mean().item() < 0.15
    keeps_and_is_helped = left[(helps == 0) & (others == 1)].mean()
    helps_and_is_helped = left[(helps == 1) & (others == 1)].mean()
    assert keeps_and_is_helped.item() == pytest.approx(helps_and_is_helped.item(), abs=0.06)


def test_without_the_setting_advantages_stay_what_they_are() -> None:
    env = mutual_help(num_envs=4)
    learner = build_learner(replace(BASELINE, suggestion_baseline=False), env.spec, 0)
    rollout = collect_rollout(env, learner.actors, seed=0, generator=learner.generator)
    assert less_own_action(learner, rollout, rollout.rewards, 0) is rollout.rewards
    assert learner.models == {}


def test_the_private_model_is_saved_with_the_learner() -> None:
    env = mutual_help(num_envs=4)
    config = replace(BASELINE, num_updates=2)
    learner = build_learner(config, env.spec, 0)
    before = {k: t.clone() for k, t in learner_tensors(learner).items() if "own_model/" in k}
    Training(learner, env, Channel(config.exchange, 2, 0), 0).advance()
    after = learner_tensors(learner)
    assert before
    assert any(not torch.equal(t, after[k]) for k, t in before.items())


@pytest.mark.parametrize(("gamma", "expected"), [(1.0, [3.0, 0.0]), (0.5, [1.75, 0.0])])
def test_discounted_steps_by_hand(gamma: float, expected: list[float]) -> None:
    assert discounted_steps(torch.tensor([3.0, 0.0]), gamma).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("centralised", [False, True])
def test_a_value_is_its_network_times_the_steps_left(centralised: bool) -> None:
    spec: EnvSpec = sizes(agents=3)
    bank = build_critics(
        spec, (4,), generator(), centralised=centralised, sees_time=True, gamma=0.9
    )
    seen = torch.randn((5, 3, spec.observation_size + 1), generator=generator(1))
    seen[..., -1] = torch.tensor([0.0, 0.5, 5 / 6, 1.0, 0.0])[:, None]  # of six steps
    plain = CriticBank(bank.params, centralised).values(seen)
    left = torch.tensor([1 - 0.9**6, 1 - 0.9**3, 1 - 0.9, 0.0, 1 - 0.9**6])[:, None] / 0.1
    assert torch.allclose(bank.values(seen), left * plain, atol=1e-5)

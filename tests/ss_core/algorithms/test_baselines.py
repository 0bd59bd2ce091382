"""What all but suggestion sharing share, worked by hand, and what they are without it."""

import math
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ss_core.algorithms import ALGORITHMS
from ss_core.algorithms.build import build_learner
from ss_core.algorithms.ps import joint_log_probs, joint_surrogate
from ss_core.algorithms.reward_transfer import transferred_rewards
from ss_core.algorithms.svo import angle_between, utilities
from ss_core.algorithms.vps import reward_inputs
from ss_core.algorithms.vs import shared_advantages
from ss_core.env import Step
from ss_core.errors import ConfigError
from ss_core.exchange.channel import Channel, ExchangeConfig, MessageKind
from ss_core.exchange.neighbourhood import Neighbourhood, all_to_all, from_graph, from_graphs
from ss_core.learning.decisions import all_decisions
from ss_core.learning.learner import LearnerConfig
from ss_core.learning.presets import EQUAL_COSTS
from ss_core.record.schema import TABLES
from ss_core.report.exchange import KINDS
from ss_core.training.loop import Training
from tests.support.probe_envs import HelpingGame, mutual_help, ring_help

SMALL = LearnerConfig(hidden=(6,), critic_hidden=(6,), actor_lr=0.02, critic_lr=0.02)
LINE = torch.tensor([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) > 0  # 0 - 1 - 2
SHARING: tuple[str, ...] = ("vs", "vps", "ps", "reward_transfer", "svo")


def training(config: LearnerConfig, env: HelpingGame | None = None, *, seed: int = 0) -> Training:
    world = env or ring_help(3, num_envs=4, horizon=2)
    learner = build_learner(config, world.spec, seed)
    return Training(learner, world, Channel(config.exchange, world.spec.num_agents, 0), seed=0)


def policies(run: Training) -> dict[str, Tensor]:
    return run.learner.actors.params


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(w, other[k]) for k, w in one.items())


def after(config: LearnerConfig, updates: int = 1, first: int = 0, **changes: Any) -> Training:
    run = training(replace(config, **changes))
    run.update = first
    for _ in range(updates):
        run.advance()
    return run


def test_the_schema_names_every_kind_of_message() -> None:
    run = after(SMALL, algorithm="vps", vps_reward_model=True)
    kinds = set(run.channel.ledger.totals)
    for algorithm in ALGORITHMS:
        kinds |= set(after(SMALL, algorithm=algorithm).channel.ledger.totals)
    (column,) = (c for c in TABLES["message"].columns if c.name == "kind")
    described = set(column.description.replace(" or ", ", ").split(", "))
    sums = {"cost_total", "return_total", "scale_total"}
    assert kinds | {"announcement"} | sums == described == set(get_args(MessageKind))
    assert described == set(KINDS)  # and so does the report


# --- Value sharing --------------------------------------------------------------------------------


def test_shared_advantages_are_means_over_oneself_and_ones_neighbours() -> None:
    channel = Channel(ExchangeConfig(), 3, seed=0)
    own = torch.tensor([[[1.0, 2.0, 6.0]], [[0.0, 3.0, -3.0]]])
    got = shared_advantages(own, channel, from_graph(LINE), update=0)
    assert got[:, 0].tolist() == [[1.5, 3.0, 4.0], [1.5, 0.0, 0.0]]
    told = {(r.sender, r.receiver): r.num_floats for r in channel.ledger.take_rows()}
    assert told == {(0, 1): 2, (1, 0): 2, (1, 2): 2, (2, 1): 2}


def test_advantages_are_shared_only_at_steps_at_which_agents_meet() -> None:
    channel = Channel(ExchangeConfig(protocol="graph"), 3, seed=0)
    where = from_graphs(torch.stack([LINE, torch.zeros_like(LINE)]))
    own = torch.tensor([[[1.0, 2.0, 6.0]], [[0.0, 3.0, -3.0]]])
    got = shared_advantages(own, channel, where, update=0)
    assert got[:, 0].tolist() == [[1.5, 3.0, 4.0], [0.0, 3.0, -3.0]]
    assert channel.ledger.num_bytes() == 4 * 4


@given(seed=st.integers(0, 2**31), agents=st.integers(2, 6))
def test_among_all_everybody_has_the_mean_advantage(seed: int, agents: int) -> None:
    own = torch.randn((3, 2, agents), generator=torch.Generator().manual_seed(seed))
    channel = Channel(ExchangeConfig(), agents, seed=0)
    got = shared_advantages(own, channel, all_to_all(agents), update=0)
    torch.testing.assert_close(got, own.mean(dim=-1, keepdim=True).expand_as(own))


# --- Policy sharing -------------------------------------------------------------------------------


def test_the_joint_ratio_is_clipped_as_one() -> None:
    ratios = torch.tensor([[1.5, 1.5, 0.5, 0.5, 1.1]])
    advantages = torch.tensor([[1.0, -1.0, 1.0, -1.0, 2.0]])
    got = joint_surrogate(ratios.log(), advantages, 0.2)
    assert got[0].tolist() == pytest.approx([1.2, -1.5, 0.5, -0.8, 2.2])


@pytest.mark.parametrize("architecture", ["independent", "multihead"])
def test_the_joint_policy_of_an_agent_is_the_product_of_its_copies(architecture: str) -> None:
    run = after(SMALL, algorithm="ps", architecture=architecture, updates=2)
    assert run.rollout is not None
    steps, bank = all_decisions(run.rollout), run.learner.actors
    joint = joint_log_probs(run.learner, steps)
    torch.testing.assert_close(joint[:, :, 0], bank.own(steps.observations, None))
    torch.testing.assert_close(joint.exp().sum(dim=-1), torch.ones_like(joint[..., 0]))


@pytest.mark.parametrize("architecture", ["independent", "multihead"])
def test_among_all_copies_agree_after_every_update_and_learn_all_the_same(
    architecture: str,
) -> None:
    run = training(replace(SMALL, algorithm="ps", architecture=architecture))
    before = {k: w.detach().clone() for k, w in policies(run).items()}
    assert all(torch.equal(w, w[:1].expand_as(w)) for w in before.values())
    run.advance()
    for k, w in policies(run).items():
        torch.testing.assert_close(w, w[:1].expand_as(w), rtol=0, atol=1e-6)
        assert not torch.equal(w, before[k])


def test_an_estimate_is_told_whole() -> None:
    run = after(SMALL, algorithm="ps")
    floats = 3 * ((1 * 6 + 6) + (6 * 2 + 2))  # three copies of one hidden layer
    told = [
        (r.kind, r.sender, r.receiver, r.num_messages, r.num_floats)
        for r in run.channel.ledger.take_rows()
    ]
    pairs = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    assert told == [("policy_parameters", i, j, 1, floats) for i, j in pairs]


def test_copies_of_others_policies_need_a_place() -> None:
    with pytest.raises(ValueError, match="use 'independent' or 'multihead'"):
        LearnerConfig(algorithm="ps", architecture="shared")


# --- Sharing of value parameters ------------------------------------------------------------------


@pytest.mark.parametrize("reward_model", [False, True])
def test_among_all_critics_agree_after_every_update(reward_model: bool) -> None:
    run = after(SMALL, algorithm="vps", vps_reward_model=reward_model)
    banks = [run.learner.critics.params]
    banks += [model.bank.params for model in run.learner.models.values()]
    assert len(banks) == 1 + reward_model
    for params in banks:
        for w in params.values():
            torch.testing.assert_close(w, w[:1].expand_as(w), rtol=0, atol=1e-6)
    moments = run.learner.critic_adam.exp_avg["w0"]
    assert not torch.allclose(moments[0], moments[1])  # the optimiser's state is one's own
    kinds = {"critic_parameters"} | ({"reward_parameters"} if reward_model else set())
    assert set(run.channel.ledger.totals) == kinds


def test_the_model_of_rewards_sees_the_joint_action() -> None:
    run = after(SMALL, algorithm="vps", vps_reward_model=True)
    assert run.rollout is not None
    seen = reward_inputs(run.learner, run.rollout)
    assert seen.shape == (2 * 4, 3, 1 + 3 * 2)
    taken = all_decisions(run.rollout).actions
    joint = torch.stack([1 - taken, taken], dim=-1).flatten(1).float()
    for agent in range(3):
        assert torch.equal(seen[:, agent, 1:], joint)


# --- Intrinsic moral rewards ----------------------------------------------------------------------


def test_a_bonus_is_paid_for_own_cooperation_alone() -> None:
    plain = after(SMALL, algorithm="independent")
    assert same(policies(after(SMALL, algorithm="imr", imr_bonus=0.0)), policies(plain))
    kind = after(SMALL, algorithm="imr", imr_bonus=1.0)
    assert not same(policies(kind), policies(plain))
    assert kind.metrics["episode_reward"] == plain.metrics["episode_reward"]  # the world's alone
    assert kind.channel.ledger.num_bytes() == 0


def test_where_nobody_says_what_cooperation_is_there_is_no_bonus() -> None:
    class Silent(HelpingGame):
        def step(self, actions: Tensor) -> Step:
            return replace(super().step(actions), cooperative=None)

    run = training(replace(SMALL, algorithm="imr"), Silent(~torch.eye(2, dtype=torch.bool)))
    with pytest.raises(ConfigError, match="choose another algorithm"):
        run.advance()


@pytest.mark.parametrize("bonus", [-1.0, math.inf, math.nan])
def test_a_senseless_bonus_is_refused(bonus: float) -> None:
    with pytest.raises(ValueError, match="imr_bonus"):
        LearnerConfig(imr_bonus=bonus)


# --- Reward transfer ------------------------------------------------------------------------------


def transferred(
    rewards: Tensor, links: Neighbourhood, self_interest: float | None
) -> tuple[Tensor, Channel]:
    channel = Channel(ExchangeConfig(), rewards.shape[-1], seed=0)
    return transferred_rewards(rewards, self_interest, channel, links, update=0), channel


def test_what_is_not_kept_is_divided_among_ones_neighbours() -> None:
    rewards = torch.tensor([[[8.0, 4.0, -2.0]], [[0.0, 0.0, 0.0]]])
    got, channel = transferred(rewards, from_graph(LINE), 0.75)
    # 0 gives 2 to 1, who gives 1/2 to each of the two others; 2 gives -1/2 to 1
    assert got[:, 0].tolist() == [[6.5, 4.5, -1.0], [0.0, 0.0, 0.0]]
    told = {(r.kind, r.sender, r.receiver): r.num_floats for r in channel.ledger.take_rows()}
    assert told == {("reward", i, j): 2 for i, j in [(0, 1), (1, 0), (1, 2), (2, 1)]}


def test_the_absent_get_nothing_and_who_meets_nobody_keeps_all() -> None:
    one_pair = torch.tensor([[0, 1, 0], [1, 0, 0], [0, 0, 0]]) > 0
    where = from_graphs(torch.stack([LINE, one_pair, torch.zeros_like(LINE)]))
    rewards = torch.tensor([[[8.0, 4.0, -2.0]]] * 3)
    got, channel = transferred(rewards, where, 0.75)
    assert got[:, 0].tolist() == [[6.5, 4.5, -1.0], [7.0, 5.0, -2.0], [8.0, 4.0, -2.0]]
    assert channel.ledger.num_bytes() == 4 * (4 + 2)


def test_unless_told_otherwise_a_neighbour_gets_half_of_what_is_kept() -> None:
    rewards = torch.tensor([[[8.0, 4.0, -3.0]]])
    got, _ = transferred(rewards, from_graph(LINE), None)  # s = 2/3, 1/2 and 2/3
    torch.testing.assert_close(got, torch.tensor([[[19 / 3, 11 / 3, -1.0]]]))


@given(
    seed=st.integers(0, 2**31),
    agents=st.integers(2, 6),
    self_interest=st.none() | st.floats(0.0, 1.0),
)
def test_rewards_are_handed_over_not_made(
    seed: int, agents: int, self_interest: float | None
) -> None:
    generator = torch.Generator().manual_seed(seed)
    rewards = torch.randn((3, 2, agents), generator=generator)
    met = torch.rand((6, agents, agents), generator=generator) < 0.5  # need not be mutual
    got, _ = transferred(rewards, from_graphs(met), self_interest)
    torch.testing.assert_close(got.sum(dim=-1), rewards.sum(dim=-1), rtol=1e-4, atol=1e-5)
    mean, _ = transferred(rewards, all_to_all(agents), 1 / agents)
    expected = rewards.mean(dim=-1, keepdim=True).expand_as(rewards)
    torch.testing.assert_close(mean, expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(transferred(rewards, all_to_all(agents), 1.0)[0], rewards)


def test_who_keeps_everything_is_independent_and_sends_nothing() -> None:
    plain = after(SMALL, algorithm="independent", updates=2)
    selfish = after(SMALL, algorithm="reward_transfer", self_interest=1.0, updates=2)
    assert same(policies(selfish), policies(plain))
    assert same(selfish.learner.critics.params, plain.learner.critics.params)
    assert selfish.channel.ledger.num_bytes() == 0
    sharing = after(SMALL, algorithm="reward_transfer", updates=2)
    assert not same(policies(sharing), policies(plain))


# --- Social value orientation ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "others", "angle", "away"),
    [
        (1.0, 1.0, 45.0, 0.0),
        (1.0, 0.0, 45.0, 45.0),
        (0.0, 1.0, 45.0, 45.0),
        (0.0, 0.0, 45.0, 45.0),  # nobody has anything: as if it were all for oneself
        (-0.0, 0.0, 45.0, 45.0),
        (0.0, -0.0, 90.0, 90.0),
        (1.0, 1.0, 90.0, 45.0),
        (-1.0, 0.0, 45.0, 135.0),
        (-1.0, -0.0, 45.0, 135.0),
        (-1.0, -1.0, 45.0, 180.0),  # equal costs
        (-1.0, -1.0, EQUAL_COSTS, 0.0),
        (-2.0, 0.0, EQUAL_COSTS, 45.0),  # 180° is -180°
        (0.0, -2.0, EQUAL_COSTS, 45.0),
    ],
)
def test_angles_between_rewards(own: float, others: float, angle: float, away: float) -> None:
    got = angle_between(torch.tensor(own), torch.tensor(others), math.radians(angle))
    assert math.degrees(float(got)) == pytest.approx(away, abs=1e-3)


def oriented(rewards: Tensor, links: Neighbourhood) -> tuple[Tensor, Channel]:
    channel = Channel(ExchangeConfig(), rewards.shape[-1], seed=0)
    return utilities(rewards, 45.0, 2.0, channel, links, update=0), channel


def test_agents_dislike_what_their_neighbours_rewards_are_off_their_angle() -> None:
    rewards = torch.tensor([[[1.0, 1.0, 3.0]], [[0.0, 0.0, 0.0]], [[2.0, 0.0, -2.0]]])
    got, channel = oriented(rewards, from_graph(LINE))
    pull = math.pi / 2  # twice 45° in radians
    above, below = math.atan2(2, 1) - math.pi / 4, math.pi / 4 - math.atan2(1, 3)
    expected = [
        [1.0, 1.0 - 2.0 * above, 3.0 - 2.0 * below],
        [-pull, -pull, -pull],
        [2.0 - pull, -pull, -2.0 - 3.0 * pull],
    ]
    torch.testing.assert_close(got[:, 0], torch.tensor(expected))
    told = {(r.kind, r.sender, r.receiver): r.num_floats for r in channel.ledger.take_rows()}
    assert told == {("reward", i, j): 3 for i, j in [(0, 1), (1, 0), (1, 2), (2, 1)]}


def test_who_sees_nobody_has_ones_own_reward() -> None:
    where = from_graphs(torch.stack([LINE, torch.zeros_like(LINE)]))
    rewards = torch.tensor([[[1.0, 0.0, 1.0]]] * 2)
    got, channel = oriented(rewards, where)
    assert torch.equal(got[1], rewards[1])
    assert not torch.equal(got[0], rewards[0])
    assert channel.ledger.num_bytes() == 4 * 4


def test_without_weight_an_orientation_is_idle() -> None:
    plain = after(SMALL, algorithm="independent", updates=2)
    idle = after(SMALL, algorithm="svo", svo_weight=0.0, updates=2)
    assert same(policies(idle), policies(plain))
    caring = after(SMALL, algorithm="svo", updates=2)
    assert not same(policies(caring), policies(plain))
    floats = {r.num_floats for r in caring.channel.ledger.take_rows()}
    assert floats == {4 * 2}  # a reward per step of four episodes


@pytest.mark.parametrize(
    "setting",
    [
        {"self_interest": -0.1},
        {"self_interest": 1.1},
        {"self_interest": math.nan},
        {"svo_angle": 181.0},
        {"svo_angle": math.nan},
        {"svo_weight": -1.0},
        {"svo_weight": math.inf},
    ],
)
def test_senseless_shares_and_orientations_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        LearnerConfig(**setting)  # type: ignore[arg-type]


# --- Without an exchange --------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", SHARING)
def test_in_a_gap_of_the_exchange_nothing_crosses(algorithm: str) -> None:
    gaps = ExchangeConfig(every=2)
    run = after(SMALL, algorithm=algorithm, exchange=gaps, updates=1, first=1)
    assert run.channel.ledger.num_bytes() == 0
    run = after(SMALL, algorithm=algorithm, exchange=gaps, updates=5)
    assert {row.update for row in run.channel.ledger.take_rows()} == {0, 2, 4}


@pytest.mark.parametrize("algorithm", ["vs", "reward_transfer", "svo"])
def test_in_a_gap_whoever_shares_values_or_rewards_learns_alone(algorithm: str) -> None:
    gaps = ExchangeConfig(every=2)
    shared = after(SMALL, algorithm=algorithm, exchange=gaps, first=1)
    alone = after(SMALL, algorithm="independent", exchange=gaps, first=1)
    assert same(policies(shared), policies(alone))
    assert same(shared.learner.critics.params, alone.learner.critics.params)


@pytest.mark.parametrize("algorithm", SHARING)
@pytest.mark.parametrize("old_policy", ["behaviour", "literal"])
def test_a_single_agent_learns_as_if_independent(algorithm: str, old_policy: str) -> None:
    results = []
    for name in (algorithm, "independent"):
        game = HelpingGame(torch.zeros((1, 1), dtype=torch.bool), num_envs=8, horizon=2)
        run = training(replace(SMALL, algorithm=name, old_policy=old_policy), game)
        run.advance()
        results.append(policies(run) | run.learner.critics.params)
    for k, w in results[0].items():
        torch.testing.assert_close(w, results[1][k], rtol=0, atol=1e-6)


@pytest.mark.parametrize("algorithm", SHARING)
def test_random_neighbours_hear_as_much_as_they_say(algorithm: str) -> None:
    config = replace(
        SMALL,
        algorithm=algorithm,
        exchange=ExchangeConfig(protocol="random", num_neighbours=2),
    )
    run = training(config, ring_help(6, num_envs=2))
    run.advance()
    run.advance()
    rows = run.channel.ledger.take_rows()
    assert len({r.kind for r in rows}) == 1
    assert 0 < len({(r.sender, r.receiver) for r in rows}) <= 2 * 6 * 4  # never all to all
    messages = np.zeros((6, 6), dtype=np.int64)
    for r in rows:
        messages[r.sender, r.receiver] += r.num_messages
    assert (messages.sum(axis=0) == messages.sum(axis=1)).all()


@pytest.mark.parametrize("algorithm", ["vs", "vps", "imr", "reward_transfer", "svo"])
def test_where_alternatives_are_known_these_learn_from_samples_all_the_same(
    algorithm: str,
) -> None:
    from tests.support.probe_envs import CounterfactualHelpingGame

    results = []
    for what_if in (False, True):
        config = replace(SMALL, algorithm=algorithm, counterfactuals=what_if)
        game = mutual_help(num_envs=4)
        env = CounterfactualHelpingGame(game) if what_if else game
        learner = build_learner(config, env.spec, 0)
        run = Training(learner, env, Channel(config.exchange, 2, 0), seed=0)
        run.advance()
        results.append(policies(run))
    assert same(*results)

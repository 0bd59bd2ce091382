"""Trust: weights by hand, memory of senders that come and go, and liars among learners."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from paper_envs.predation import PredationEnv
from ss_core.algorithms.build import build_learner
from ss_core.exchange.channel import Channel, ExchangeConfig
from ss_core.exchange.neighbourhood import Neighbourhood, all_to_all, from_graph
from ss_core.exchange.trust import Trust, demands, no_trust_yet, remember, weights
from ss_core.learning.action_advantages import from_samples
from ss_core.learning.communication import open_round
from ss_core.learning.learner import LearnerConfig, learner_tensors
from ss_core.learning.presets import REGIMES, in_regime
from ss_core.learning.sequential import exchange
from ss_core.objective.action_families import Finite
from ss_core.objective.objective import follow_penalty
from ss_core.training.incidents import DISCOUNTED
from ss_core.training.loop import Training
from tests.support.small_learners import random_decisions, sizes, small_learner, trained_to_the_end

EVERYBODY = all_to_all(4)
CONFIG = LearnerConfig(architecture="multihead", hidden=(6,), critic_hidden=(6,))


def exchanged(
    distances: dict[tuple[int, int], float], links: Neighbourhood
) -> tuple[Tensor, Tensor]:
    """Own policies (½, ½) and received ones that far from them, by (receiver, sender)."""
    own = torch.full((1, 4, 2), 0.5)
    received = own[:, :, None].expand(1, *links.senders.shape, 2).clone()
    for (receiver, sender), far in distances.items():
        slot = links.senders[receiver].tolist().index(sender)
        received[0, receiver, slot] += torch.tensor([far, -far])
    return own.log(), received.clamp_min(1e-30).log()


def after(distances: dict[tuple[int, int], float], *, fade: float = 0.5, times: int = 1) -> Trust:
    trust = no_trust_yet(4)
    own, received = exchanged(distances, EVERYBODY)
    for _ in range(times):
        taken = EVERYBODY.received[None]
        remember(trust, own, received, taken, EVERYBODY, fade)
    return trust


def test_who_asks_for_more_than_twice_what_the_modest_ask_for_counts_less() -> None:
    trust = after({(0, 1): 0.1, (0, 2): 0.1, (0, 3): 0.4})
    assert demands(trust, EVERYBODY)[0].tolist() == pytest.approx([0.1, 0.1, 0.4])
    assert weights(trust, EVERYBODY, tolerance=2.0)[0].tolist() == pytest.approx([1.0, 1.0, 0.25])


def test_a_weight_scales_what_a_sender_has_to_say_in_the_objective() -> None:
    learner = small_learner(CONFIG, sizes())
    decisions = random_decisions(learner.spec, learner.actors)
    channel = Channel(CONFIG.exchange, 4, seed=0)
    links = channel.neighbourhood(0)
    advantages = from_samples(torch.zeros((6, 1, 4)), decisions, links, Finite(3))
    opened = open_round(learner, decisions, channel, links, 0)
    messages = exchange(learner, decisions, advantages, opened)
    own = advantages.own_view(decisions, messages.own, "behaviour")
    knobs = replace(CONFIG.objective, indicators=False)
    weight = torch.rand((4, 3), generator=torch.Generator().manual_seed(0))
    plain = follow_penalty(own, messages.view(None), knobs)
    assert torch.equal(messages.view(weight).valid, messages.view(None).valid)
    torch.testing.assert_close(follow_penalty(own, messages.view(weight), knobs), plain * weight)


def test_nobody_is_discounted_who_asks_for_nothing_or_was_never_heard() -> None:
    assert weights(after({}), EVERYBODY, 2.0).tolist() == [[1.0] * 3] * 4
    assert weights(no_trust_yet(4), EVERYBODY, 2.0).tolist() == [[1.0] * 3] * 4


def test_what_is_not_taken_teaches_nothing() -> None:
    trust = no_trust_yet(4)
    own, received = exchanged({(0, 3): 0.5}, EVERYBODY)
    received[0, 0, 2] = torch.nan
    taken = EVERYBODY.received[None].clone()
    taken[0, 0, 2] = False
    remember(trust, own, received, taken, EVERYBODY, 0.5)
    assert trust.received[0].tolist() == [0.0, 1.0, 1.0, 0.0]
    assert bool(trust.asked.isfinite().all())


def test_a_sender_that_is_not_heard_now_is_remembered() -> None:
    trust = after({(0, 3): 0.5})
    pairs = torch.zeros((4, 4), dtype=torch.bool)
    pairs[1, 0] = True  # now only 1 tells 0
    links = from_graph(pairs)
    own = torch.full((1, 4, 2), 0.5).log()
    received = own[:, :, None].expand(1, *links.senders.shape, 2)
    remember(trust, own, received, links.received[None], links, 0.5)
    assert float(trust.asked[0, 3]) == 0.5
    assert trust.received[0].tolist() == [0.0, 1.5, 1.0, 1.0]


def test_old_demands_fade() -> None:
    once, often = after({(0, 3): 0.5}), after({(0, 3): 0.5}, times=20)
    assert float(often.received[0, 3]) == pytest.approx(2.0, abs=1e-3)  # 1 + ½ + ¼ + …
    assert torch.allclose(demands(often, EVERYBODY), demands(once, EVERYBODY))


@pytest.mark.parametrize("per_update", ["every_pass", "once"])
def test_what_a_discounted_sender_suggests_moves_nobody_as_far(per_update: str) -> None:
    def policies(*, trust: bool) -> dict[str, torch.Tensor]:
        config = LearnerConfig(
            architecture="tilted",
            hidden=(8,),
            critic_hidden=(8,),
            num_envs=4,
            trust=trust,
            trust_tolerance=1.0,
            objective=REGIMES["norm"],
            exchange=ExchangeConfig(
                liars=0.1,
                lie="selfish",
                per_update=per_update,  # type: ignore[arg-type]
            ),
        )
        training = Training.begin(config, PredationEnv(4, num_agents=6), seed=1)
        training.advance()
        params = training.learner.actors.params
        return {k: w.detach() for k, w in params.items() if k.startswith("own_")}

    trusting, wary = policies(trust=False), policies(trust=True)
    assert any(not torch.equal(trusting[k], wary[k]) for k in trusting)


@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
def test_learners_discount_a_liar_and_say_so(tmp_path: Path, order: str) -> None:
    env = PredationEnv(4, num_agents=6)
    config = in_regime(
        LearnerConfig(
            architecture="multihead",
            hidden=(8,),
            critic_hidden=(8,),
            zero_logits=True,
            num_envs=4,
            num_updates=4,
            trust=True,
            agent_order=order,  # type: ignore[arg-type]
            exchange=ExchangeConfig(liars=0.1, lie="selfish"),
        ),
        "norm",
    )
    training = Training(
        build_learner(config, env.spec, 1), env, Channel(config.exchange, 6, 1), seed=1
    )
    trained_to_the_end(training, tmp_path, commit_every=2)
    assert training.channel.liars is not None
    liar = env.spec.agent_names[int(torch.nonzero(training.channel.liars.among)[0])]
    rows = pq.read_table(tmp_path / "traces" / "trust").to_pylist()
    by_sender = {
        name: [row["weight"] for row in rows if row["src_agent_id"] == name]
        for name in env.spec.agent_names
    }
    assert max(by_sender[liar]) < 0.5
    assert min(np.mean(by_sender[name]) for name in by_sender if name != liar) > 0.8
    incidents = pq.read_table(tmp_path / "traces" / "incident").to_pylist()
    assert [(row["code"], row["entity_id"]) for row in incidents] == [(DISCOUNTED, liar)]
    assert {"trust_asked", "trust_heard"} <= learner_tensors(training.learner).keys()

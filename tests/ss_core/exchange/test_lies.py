"""Liars on the channel: who lies, what is said, what receivers do not take."""

from typing import get_args

import pytest
import torch
from torch import Tensor

from cli import options
from ss_core.algorithms.build import build_learner
from ss_core.exchange.channel import Channel, ExchangeConfig
from ss_core.exchange.lies import FLOOD, LIES, Liars, Lie, draw_liars, sent_instead, weight_with
from ss_core.exchange.neighbourhood import all_to_all
from ss_core.learning.learner import Learner, LearnerConfig
from ss_core.learning.presets import in_regime
from ss_core.objective.action_families import well_formed
from ss_core.training.loop import Training
from tests.support.fault_counts import counted
from tests.support.probe_envs import mutual_help

LOG_ZERO = -1e9
AGENTS = 4


def logs(*rows: list[float]) -> Tensor:
    """log of one distribution per row, for every sender and slot, of one decision."""
    table = torch.tensor(rows).clamp_min(1e-30).log()
    return table[None, None].expand(1, AGENTS, AGENTS - 1, -1, -1)[:, :, :, 0].clone()


def liars(kind: Lie, *who: int) -> Liars:
    among = torch.zeros(AGENTS, dtype=torch.bool)
    among[list(who)] = True
    return Liars(kind, among, seed=3)


def test_the_command_line_offers_every_lie() -> None:
    assert set(options.LIES) == set(LIES) == set(get_args(Lie))


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.01, 1), (0.25, 1), (0.5, 2), (1.0, 4)])
def test_the_seed_draws_as_many_liars_as_asked_for(share: float, count: int) -> None:
    drawn = draw_liars("selfish", share, AGENTS, seed=7)
    again = draw_liars("selfish", share, AGENTS, seed=7)
    assert (0 if drawn is None else int(drawn.among.sum())) == count
    assert drawn is None or (again is not None and torch.equal(drawn.among, again.among))


@pytest.mark.parametrize(("kind", "named"), [("selfish", 1), ("contrary", 2), ("constant", 0)])
def test_a_liar_names_one_action(kind: Lie, named: int) -> None:
    suggested, shared = logs([0.3, 0.6, 0.1]), logs([0.3, 0.4, 0.3])
    said = sent_instead(liars(kind, 1), suggested, shared, all_to_all(AGENTS), update=0)
    assert torch.equal(said[:, [0, 2, 3]], suggested[:, [0, 2, 3]])
    assert said[0, 1].exp().argmax(dim=-1).tolist() == [named] * (AGENTS - 1)
    assert said[0, 1].exp().max(dim=-1).values.tolist() == pytest.approx([1.0] * (AGENTS - 1))


def test_a_lie_never_names_what_is_not_allowed() -> None:
    half = torch.tensor(0.5).log()
    shared = torch.stack([torch.tensor(LOG_ZERO), half, half]).expand(1, AGENTS, AGENTS - 1, 3)
    for kind in ("selfish", "contrary", "constant", "random", "collude", "silent"):
        said = sent_instead(liars(kind, 0, 2), shared, shared, all_to_all(AGENTS), update=1)
        assert well_formed(said, shared > -1e8).all(), kind


def test_random_lies_differ_from_update_to_update_and_repeat_with_the_seed() -> None:
    shared = torch.full((50, AGENTS, AGENTS - 1, 3), 1 / 3).log()
    first, again, other = (
        sent_instead(liars("random", 0), shared, shared, all_to_all(AGENTS), update=u)
        for u in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_colluding_liars_say_the_same_and_spare_each_other() -> None:
    where = all_to_all(AGENTS)
    shared = logs([1 / 3, 1 / 3, 1 / 3])
    suggested = shared.clone()
    suggested[:, 0] = torch.tensor([0.1, 0.5, 0.4]).log()
    suggested[:, 1] = torch.tensor([0.1, 0.3, 0.6]).log()  # together: the last one
    said = sent_instead(liars("collude", 0, 1), suggested, shared, where, update=0)
    for sender in (0, 1):
        for slot, receiver in enumerate(where.receivers[sender].tolist()):
            if receiver in (0, 1):
                assert torch.equal(said[:, sender, slot], suggested[:, sender, slot])
            else:
                assert int(said[0, sender, slot].argmax()) == 2
    heeds = weight_with(liars("collude", 0, 1), where)
    assert heeds[2].all()
    assert heeds[0].tolist() == [s in (0, 1) for s in where.senders[0].tolist()]


def test_liars_heed_nobody() -> None:
    heeds = weight_with(liars("selfish", 3), all_to_all(AGENTS))
    assert heeds[:3].all()
    assert not heeds[3].any()


@pytest.mark.parametrize(
    "bad",
    [
        [0.5, 0.6, 0.1],
        [0.2, 0.2, 0.2],
        [float("nan"), 0.5, 0.5],
        [float("inf"), 0.0, 0.0],
        [-0.5, 1.0, 0.5],
        [0.5, 0.0, 0.5],  # the last action is not allowed
    ],
)
def test_what_is_no_distribution_over_allowed_actions_is_not_well_formed(bad: list[float]) -> None:
    legal = torch.tensor([True, True, False])
    assert not bool(well_formed(torch.tensor(bad).log(), legal))
    assert bool(well_formed(torch.tensor([0.5, 0.5, 0.0]).log(), legal))


def advanced(kind: Lie, updates: int = 3, *, share: float = 0.3, **settings: object) -> Training:
    """A few updates of mutual help where one of the agents lies."""
    env = mutual_help(num_envs=4)
    config = in_regime(
        LearnerConfig(
            **{  # type: ignore[arg-type]
                "architecture": "multihead",
                "hidden": (8,),
                "critic_hidden": (8,),
                "num_envs": 4,
                "exchange": ExchangeConfig(liars=share, lie=kind),
                **settings,
            }
        ),
        "gradient",
    )
    channel = Channel(config.exchange, env.spec.num_agents, seed=1)
    training = Training(build_learner(config, env.spec, 1), env, channel, 1)
    for _ in range(updates):
        training.advance()
    return training


def numbers_of(learner: Learner) -> bool:
    return all(bool(w.isfinite().all()) for w in learner.actors.params.values())


@pytest.mark.parametrize("kind", get_args(Lie))
@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
def test_whatever_liars_say_no_parameter_stops_being_a_number(kind: Lie, order: str) -> None:
    assert numbers_of(advanced(kind, agent_order=order).learner)
    counted("F11")


@pytest.mark.parametrize("kind", ["malformed", "stale", "flood"])
def test_messages_that_cannot_be_taken_are_counted_by_sender(kind: Lie) -> None:
    training = advanced(kind)
    liar = int(torch.nonzero(training.channel.liars.among)[0])  # type: ignore[union-attr]
    found = training.channel.ledger.take_refusals()
    assert {(one.reason, one.sender) for one in found} == {(kind, liar)}
    assert [one.update for one in found] == [0, 1, 2]
    per_message = FLOOD - 1 if kind == "flood" else 1
    assert all(one.num_messages % per_message == 0 and one.num_messages > 0 for one in found)


@pytest.mark.parametrize("kind", ["malformed", "stale"])
def test_what_is_not_taken_does_not_move_anybody(kind: Lie) -> None:
    silent, refused = advanced("silent").learner, advanced(kind).learner
    for name, w in silent.actors.params.items():
        assert torch.equal(w, refused.actors.params[name]), name


def own_chances(kind: Lie, share: float) -> Tensor:
    """What the own policies came to where a share of all agents lies."""
    training = advanced(kind, share=share, architecture="independent")
    step = training.env.reset(0)
    return training.learner.actors.own(step.observations, step.action_mask).detach()


def test_agents_that_heed_nobody_learn_the_same_whatever_is_said() -> None:
    assert torch.equal(own_chances("contrary", 1.0), own_chances("selfish", 1.0))
    assert not torch.equal(own_chances("contrary", 0.3), own_chances("selfish", 0.3))


def test_refusals_are_part_of_the_ledgers_state() -> None:
    ledger = advanced("malformed").channel.ledger
    other = Channel(ExchangeConfig(), ledger.num_agents, 0).ledger
    other.restore(ledger.state())
    assert other.refused.keys() == {"malformed"}
    assert (other.refused["malformed"] == ledger.refused["malformed"]).all()
    assert other.num_bytes() == ledger.num_bytes()


def test_liars_need_suggestions_to_lie_in() -> None:
    with pytest.raises(ValueError, match="sends none"):
        LearnerConfig(algorithm="vs", exchange=ExchangeConfig(liars=0.1))

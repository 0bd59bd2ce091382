"""The passes of Algorithm 1: against a plain loop, literally, in turn, and where agents meet."""

from dataclasses import replace

import pytest
import torch

from benchmarks.learner import Case, PlainLoop
from ss_core.algorithms.ss import improve
from ss_core.exchange.channel import Channel, ExchangeConfig
from ss_core.exchange.neighbourhood import Neighbourhood, all_to_all
from ss_core.learning.action_advantages import ActionAdvantages, from_samples
from ss_core.learning.decisions import Decisions
from ss_core.learning.learner import Learner, LearnerConfig
from ss_core.objective.action_families import Finite
from ss_core.objective.objective import ObjectiveWeights
from ss_core.policies.actors import Architecture
from tests.support.small_learners import (
    BANK_IDS,
    BANKS,
    generator,
    random_decisions,
    sizes,
    small_learner,
)

AGENTS = 4
BASE = LearnerConfig(num_epochs=3, actor_lr=0.02, suggestion_lr=0.05, critic_lr=0.02)
every_bank = pytest.mark.parametrize(("architecture", "features"), BANKS, ids=BANK_IDS)


def drawn_case(
    learner: Learner, config: LearnerConfig
) -> tuple[Decisions, ActionAdvantages, Neighbourhood, Channel]:
    spec = learner.spec
    channel = Channel(config.exchange, spec.num_agents, seed=0)
    where = channel.neighbourhood(0)
    decisions = random_decisions(spec, learner.actors)
    drawn = torch.randn((6, 1, spec.num_agents), generator=generator(9))
    return (
        decisions,
        from_samples(drawn, decisions, where, Finite(spec.num_actions)),
        where,
        channel,
    )


def updated(config: LearnerConfig, features: int = 0) -> tuple[Learner, dict[str, float], Channel]:
    learner = small_learner(config, sizes(AGENTS, features=features))
    decisions, advantages, where, channel = drawn_case(learner, config)
    metrics = improve(learner, decisions, advantages, channel, where, 0)
    return learner, metrics, channel


def test_an_update_is_that_of_a_plain_loop_over_all_pairs() -> None:
    case = Case("independent", (12, 7), (4, 5, 3, 9))
    loop = PlainLoop(case)
    for _ in range(3):
        case.update()
        loop.update()
    params = case.learner.actors.params
    for i, row in enumerate(loop.nets):
        for j, net in enumerate(row):
            for layer, linear in enumerate(m for m in net if isinstance(m, torch.nn.Linear)):
                w, b = params[f"w{layer}"][i, j], params[f"b{layer}"][i, j, 0]
                torch.testing.assert_close(w, linear.weight.T, rtol=0, atol=1e-6)
                torch.testing.assert_close(b, linear.bias, rtol=0, atol=1e-6)


@every_bank
def test_read_literally_every_step_starts_from_ratios_of_one(
    architecture: Architecture, features: int
) -> None:
    for order in ("simultaneous", "sequential"):
        config = replace(BASE, architecture=architecture, agent_order=order)
        _, drifted, _ = updated(config, features)
        _, literal, _ = updated(replace(config, old_policy="literal"), features)
        assert literal["approx_kl"] == 0.0
        assert drifted["approx_kl"] != 0.0


def test_first_pass_is_the_same_however_the_old_policy_is_read() -> None:
    once = replace(BASE, num_epochs=1)
    behaviour, _, _ = updated(once)
    literal, _, _ = updated(replace(once, old_policy="literal"))
    for k, w in behaviour.actors.params.items():
        torch.testing.assert_close(w, literal.actors.params[k], rtol=0, atol=1e-6)


def test_in_sequence_each_agent_sees_those_before_it_after_their_step() -> None:
    config = replace(BASE, num_epochs=1, old_policy="literal")
    in_sequence, _, _ = updated(replace(config, agent_order="sequential"))
    at_once, _, _ = updated(config)
    stepped = small_learner(config, sizes(AGENTS))
    decisions, advantages, where, channel = drawn_case(stepped, config)
    for agent in range(AGENTS):
        alone = small_learner(config, sizes(AGENTS))
        adopt(alone, stepped)
        improve(alone, decisions, advantages, channel, where, 0)
        adopt(stepped, alone, agent)
        for k, gradient in alone.actor_adam.exp_avg.items():
            got = in_sequence.actor_adam.exp_avg[k][agent]
            torch.testing.assert_close(got, gradient[agent], rtol=1e-4, atol=1e-7)
    gradients = [x.actor_adam.exp_avg["w0"].flatten(1) for x in (in_sequence, at_once)]
    differs = (gradients[0] - gradients[1]).abs().amax(dim=1) > 1e-5
    assert differs.tolist() == [False] + [True] * (AGENTS - 1)


def adopt(learner: Learner, other: Learner, agent: int | None = None) -> None:
    """Take over the parameters of another learner, or one agent's."""
    rows = slice(None) if agent is None else agent
    with torch.no_grad():
        for k, w in learner.actors.params.items():
            w[rows] = other.actors.params[k][rows]


@pytest.mark.parametrize(
    ("order", "times"),
    # each pass opens with everybody; in sequence all but the last speak again after their step
    [("simultaneous", [3, 3, 3, 3]), ("sequential", [6, 6, 6, 3])],
)
def test_ledger_counts_every_distribution_that_was_told(order: str, times: list[int]) -> None:
    _, _, channel = updated(replace(BASE, agent_order=order))
    floats = 6 * 3  # decisions × actions
    told = {(r.kind, r.sender, r.receiver): r.num_floats for r in channel.ledger.take_rows()}
    assert told == {
        (kind, i, j): times[i] * floats
        for kind in ("own_policy", "suggestion")
        for i in range(AGENTS)
        for j in range(AGENTS)
        if i != j
    }


def test_nothing_is_told_where_nobody_listens() -> None:
    learner = small_learner(BASE, sizes(AGENTS))
    decisions, advantages, _, channel = drawn_case(learner, BASE)
    improve(learner, decisions, advantages, channel, None, 0)
    assert channel.ledger.num_bytes() == 0


@every_bank
def test_with_nobody_listening_suggestion_networks_rest(
    architecture: Architecture, features: int
) -> None:
    config = replace(BASE, architecture=architecture)
    learner = small_learner(config, sizes(AGENTS, features=features))
    before = small_learner(config, sizes(AGENTS, features=features)).actors.params
    decisions, advantages, _, channel = drawn_case(learner, config)
    improve(learner, decisions, advantages, channel, None, 0)
    off_diagonal = ~torch.eye(AGENTS, dtype=torch.bool)
    for k, w in learner.actors.params.items():
        if k.startswith("suggest_"):
            assert torch.equal(w, before[k])
        elif architecture == "independent":
            assert torch.equal(w[off_diagonal], before[k][off_diagonal])


def test_agreement_is_measured_at_the_actions_taken() -> None:
    learner, metrics, _ = updated(replace(BASE, num_epochs=1))
    fresh = small_learner(BASE, sizes(AGENTS))
    actions, last = random_decisions(fresh.spec, fresh.actors).actions, learner.last_round
    assert last is not None
    total, count = 0.0, 0
    for b, i, m in torch.nonzero(last.valid).tolist():
        action = actions[b, last.receivers[i, m]]
        own, told = (x[b, i, m, action].exp() for x in (last.policies, last.suggestions))
        total, count = total + float(own - told) ** 2, count + 1
    assert count == 6 * AGENTS * (AGENTS - 1)
    assert metrics["suggestion_mse"] == pytest.approx(total / count)


def meeting(where: Neighbourhood, rows: list[int]) -> Neighbourhood:
    """The neighbourhood of agents who meet at these of six rows."""
    present = torch.zeros((6, *where.receivers.shape), dtype=torch.bool)
    present[rows] = where.linked
    return replace(where, present=present)


@every_bank
def test_who_never_meets_learns_alone(architecture: Architecture, features: int) -> None:
    for order in ("simultaneous", "sequential"):
        results = []
        for apart in (True, False):
            config = replace(BASE, architecture=architecture, agent_order=order)
            learner = small_learner(config, sizes(AGENTS, features=features))
            decisions, advantages, where, channel = drawn_case(learner, config)
            nobody = meeting(where, []) if apart else None
            metrics = improve(learner, decisions, advantages, channel, nobody, 0)
            assert channel.ledger.num_bytes() == 0
            assert "suggestion_mse" not in metrics
            results.append(learner.actors.params)
        for k, w in results[0].items():
            if not (features and k.endswith("_b1")):  # no gradient but rounding noise
                torch.testing.assert_close(w, results[1][k], rtol=0, atol=1e-6)


@every_bank
def test_who_always_meets_learns_as_if_linked_once_for_all(
    architecture: Architecture, features: int
) -> None:
    config = replace(BASE, architecture=architecture)
    plain, metrics, channel = updated(config, features)
    learner = small_learner(config, sizes(AGENTS, features=features))
    decisions, advantages, where, other = drawn_case(learner, config)
    always = meeting(where, list(range(6)))
    assert improve(learner, decisions, advantages, other, always, 0) == metrics
    assert all(torch.equal(w, plain.actors.params[k]) for k, w in learner.actors.params.items())
    assert other.ledger.bytes_by_kind() == channel.ledger.bytes_by_kind()


@pytest.mark.parametrize("surrogate", ["product", "additive"])
def test_suggestions_are_made_followed_and_counted_only_where_agents_meet(surrogate: str) -> None:
    weights = ObjectiveWeights(surrogate=surrogate, indicators=False)  # type: ignore[arg-type]
    config = replace(BASE, objective=weights, num_epochs=1)
    off_diagonal = ~torch.eye(AGENTS, dtype=torch.bool)
    results = []
    for elsewhere in (False, True):
        # Adam's first step tells only signs; with this seed some differ in every tensor
        learner = small_learner(config, sizes(AGENTS), seed=1)
        decisions, advantages, where, channel = drawn_case(learner, config)
        if elsewhere:  # what happens at rows 2 to 5 concerns oneself alone
            observations = decisions.observations.clone()
            observations[2:] *= 3.0
            decisions = replace(decisions, observations=observations)
        improve(learner, decisions, advantages, channel, meeting(where, [0, 1]), 0)
        assert learner.last_round is not None
        assert learner.last_round.valid.sum(dim=(1, 2)).tolist() == [12, 12, 0, 0, 0, 0]
        floats = 2 * 3 * AGENTS * (AGENTS - 1)  # decisions × actions × pairs
        assert channel.ledger.bytes_by_kind() == {
            "own_policy": 4 * floats,
            "suggestion": 4 * floats,
        }
        results.append(learner.actors.params)
    for k, w in results[0].items():
        torch.testing.assert_close(w[off_diagonal], results[1][k][off_diagonal], rtol=0, atol=1e-6)
        assert not torch.equal(w[~off_diagonal], results[1][k][~off_diagonal])


def test_scaled_following_stands_for_all_others() -> None:
    exchange = ExchangeConfig(protocol="random", num_neighbours=1)
    plain = ObjectiveWeights(rho_follow=0.1)
    thrice = ObjectiveWeights(rho_follow=0.3)  # one neighbour stands for three
    scaled, _, _ = updated(replace(BASE, exchange=exchange, scale_rho_follow=True, objective=plain))
    by_hand, _, _ = updated(replace(BASE, exchange=exchange, objective=thrice))
    for k, w in scaled.actors.params.items():
        torch.testing.assert_close(w, by_hand.actors.params[k], rtol=0, atol=1e-6)


def test_masked_decisions_are_learnt_from_without_a_trace_of_nan() -> None:
    for architecture, features in BANKS:
        config = replace(BASE, architecture=architecture)
        learner = small_learner(config, sizes(AGENTS, features=features))
        decisions = random_decisions(learner.spec, learner.actors, masked=True)
        where = all_to_all(AGENTS)
        drawn = torch.randn((6, 1, AGENTS), generator=generator(9))
        advantages = from_samples(drawn, decisions, where, learner.family)
        improve(learner, decisions, advantages, Channel(config.exchange, AGENTS, 0), where, 0)
        assert all(torch.isfinite(w).all() for w in learner.actors.params.values())

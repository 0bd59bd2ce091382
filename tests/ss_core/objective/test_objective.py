"""Eq. 13 to 16 on a game of two agents with two actions, worked by hand.

Agent 0 took action 0 (Â = 2), agent 1 took action 1 (Â = -1); both acted by (.5, .5).
Own policies now: π⁰⁰ = (.6, .4), π¹¹ = (.5, .5). Suggestions: π⁰¹ = (.2, .8), π¹⁰ = (.9, .1).
"""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ss_core.objective.action_families import (
    Normal,
    discrepancy,
    masked_log_softmax,
    probabilities,
)
from ss_core.objective.objective import (
    ObjectiveWeights,
    OwnView,
    PeerView,
    ReceivedView,
    clipped_surrogate,
    diverging,
    neighbour_ratio,
    objective,
    policy_ratio,
    suggestion_surrogate,
)


def logs(*rows: list[float]) -> Tensor:
    return torch.tensor([rows]).log()


ADVANTAGES = torch.tensor([[[2.0, 2.0], [-1.0, -1.0]]])  # B N A: the same for every action
TAKEN = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
OWN = OwnView(
    log_probs=logs([0.6, 0.4], [0.5, 0.5]),
    old_log_probs=logs([0.5, 0.5], [0.5, 0.5]),
    weights=TAKEN,
    advantages=ADVANTAGES,
    valid=torch.ones(1, 2),
)
PEERS = PeerView(
    suggestions=logs([0.2, 0.8], [0.9, 0.1]).unsqueeze(2),
    policies=logs([0.5, 0.5], [0.6, 0.4]).unsqueeze(2),
    old_policies=logs([0.5, 0.5], [0.5, 0.5]).unsqueeze(2),
    weights=TAKEN.flip(1).unsqueeze(2),
    advantages=ADVANTAGES.unsqueeze(2),
    valid=torch.ones(1, 2, 1),
)
RECEIVED = ReceivedView(
    suggestions=logs([0.9, 0.1], [0.2, 0.8]).unsqueeze(2), valid=torch.ones(1, 2, 1)
)
WEIGHTS = ObjectiveWeights(clip_eps=0.1, rho=0.5, rho_follow=0.25)
KAPPAS = torch.tensor([2.0, 1.0])


def gains(
    own: OwnView,
    peers: PeerView | None,
    received: ReceivedView | None,
    weights: ObjectiveWeights,
    num_steps: int = 1,
    follow_scale: float = 1.0,
) -> Tensor:
    """Eq. 16 of every agent, per time step."""
    return objective(
        own,
        peers,
        received,
        weights,
        KAPPAS,
        num_steps=num_steps,
        follow_scale=follow_scale,
    ).gain


def test_ratios_of_eq_13() -> None:
    xi = policy_ratio(OWN.log_probs, OWN.old_log_probs)
    assert xi[0].tolist() == [pytest.approx([1.2, 0.8]), pytest.approx([1.0, 1.0])]
    assert neighbour_ratio(PEERS)[0].tolist() == pytest.approx([0.8 / 0.5, 0.9 / 0.5])


def test_neighbour_ratio_is_the_product_over_valid_neighbours() -> None:
    three = PeerView(
        suggestions=torch.tensor([[[[0.2, 0.8], [0.4, 0.6], [0.9, 0.1]]]]).log(),
        policies=torch.zeros(1, 1, 3, 2),
        old_policies=torch.full((1, 1, 3, 2), 0.5).log(),
        weights=torch.tensor([[[[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]]]),
        advantages=torch.zeros(1, 1, 3, 2),
        valid=torch.tensor([[[1.0, 1.0, 0.0]]]),
    )
    assert neighbour_ratio(three).item() == pytest.approx(1.6 * 0.8)


@pytest.mark.parametrize(
    ("advantage", "ratio", "active"),
    [
        (2.0, 1.5, True),
        (2.0, 1.0, True),
        (2.0, 0.5, False),
        (-2.0, 1.5, False),
        (-2.0, 1.0, True),
        (-2.0, 0.5, True),
        (0.0, 1.5, True),
        (0.0, 0.5, True),
    ],
)
def test_indicator_is_on_where_the_advantage_drives_policies_apart(
    advantage: float, ratio: float, active: bool
) -> None:
    log_probs = torch.tensor([0.4 * ratio, 1 - 0.4 * ratio]).log()
    reference = torch.tensor([0.4, 0.6]).log()
    if ratio == 1.0:
        reference = log_probs
    taken = torch.tensor([1.0, 0.0])
    assert diverging(log_probs, reference, taken, torch.full((2,), advantage)).item() is active


OBJECTIVES = {
    # agent 0: min(1.2·1.6·2, 1.1·1.6·2) - κ ρ ‖(.2,.8) - (.5,.5)‖²; its follow indicator is off
    # agent 1: 1.8·(-1) - κ ρ' ‖(.5,.5) - (.2,.8)‖²; its anchor indicator is off
    "product": ({}, (3.52 - 2 * 0.5 * 0.18, -1.8 - 0.25 * 0.18)),
    # min(1.2·2, 1.1·2) + 1.6·2 and 1·(-1) + 1.8·(-1)
    "additive": ({"surrogate": "additive"}, (5.4 - 0.18, -2.8 - 0.25 * 0.18)),
    "total variation": (
        {"surrogate": "additive", "anchor": "tv", "follow": "tv"},
        (5.4 - 2 * 0.5 * 0.3, -2.8 - 0.25 * 0.3),
    ),
    "no indicators": (
        {"surrogate": "additive", "indicators": False},
        (5.4 - 0.18 - 2 * 0.25 * 0.18, -2.8 - 0.25 * 0.18 - 0.5 * 0.18),
    ),
}


@pytest.mark.parametrize("case", OBJECTIVES)
def test_objective_of_eq_16_matches_the_hand_worked_case(case: str) -> None:
    knobs, expected = OBJECTIVES[case]
    weights = replace(WEIGHTS, **knobs)
    got = gains(OWN, PEERS, RECEIVED, weights)
    assert got.tolist() == pytest.approx(expected, abs=1e-6)


def test_in_a_gap_of_the_exchange_the_clipped_surrogate_remains() -> None:
    assert gains(OWN, None, None, WEIGHTS).tolist() == pytest.approx([2.2, -1.0])


def test_the_gain_is_per_time_step_and_a_neighbour_may_stand_for_many() -> None:
    once = gains(OWN, PEERS, RECEIVED, WEIGHTS)
    torch.testing.assert_close(gains(OWN, PEERS, RECEIVED, WEIGHTS, num_steps=4), once / 4)
    thrice = replace(WEIGHTS, rho_follow=3 * WEIGHTS.rho_follow)
    wanted = gains(OWN, PEERS, RECEIVED, thrice)
    torch.testing.assert_close(gains(OWN, PEERS, RECEIVED, WEIGHTS, follow_scale=3.0), wanted)


def test_a_sender_without_weight_is_a_sender_that_is_not_there() -> None:
    for weight, received in ((1.0, RECEIVED), (0.0, None)):
        weighed = replace(RECEIVED, weight=torch.full((2, 1), weight))
        got = gains(OWN, PEERS, weighed, WEIGHTS)
        assert torch.equal(got, gains(OWN, PEERS, received, WEIGHTS))


def test_padding_adds_nothing() -> None:
    def doubled(x: Tensor) -> Tensor:
        return torch.cat([x, x])

    def padded(view, **valid):
        parts = {k: getattr(view, k) for k in view.__dataclass_fields__}
        given = {k: x for k, x in parts.items() if x is not None and k not in valid}
        return replace(view, **{k: doubled(x) for k, x in given.items()}, **valid)

    own = padded(OWN, valid=torch.tensor([[1.0, 1.0], [0.0, 0.0]]))
    mask = torch.tensor([1.0, 0.0])[:, None, None].expand(2, 2, 1)
    peers, received = padded(PEERS, valid=mask), padded(RECEIVED, valid=mask)
    for surrogate in ("product", "additive"):
        weights = replace(WEIGHTS, surrogate=surrogate, ent_coef=0.1)
        once = gains(OWN, PEERS, RECEIVED, weights)
        twice = gains(own, peers, received, weights)
        torch.testing.assert_close(once, twice)


simplex = st.lists(st.floats(0.05, 1.0), min_size=3, max_size=3).map(
    lambda x: torch.tensor(x, dtype=torch.float64) / sum(x)
)


@given(old=simplex, new=simplex, values=st.lists(st.floats(-5, 5), min_size=3, max_size=3))
def test_expectation_form_is_the_average_over_samples(
    old: Tensor, new: Tensor, values: list[float]
) -> None:
    advantages = torch.tensor(values, dtype=torch.float64)

    def own_and_peer(weights: Tensor, advantages: Tensor) -> Tensor:
        view = OwnView(
            log_probs=new.log()[None, None],
            old_log_probs=old.log()[None, None],
            weights=weights[None, None],
            advantages=advantages[None, None],
            valid=torch.ones((1, 1), dtype=torch.float64),
        )
        peer = PeerView(
            suggestions=new.log()[None, None, None],
            policies=old.log()[None, None, None],
            old_policies=old.log()[None, None, None],
            weights=weights[None, None, None],
            advantages=advantages[None, None, None],
            valid=torch.ones((1, 1, 1), dtype=torch.float64),
        )
        parts = (clipped_surrogate(view, 0.2), suggestion_surrogate(peer, 0.2))
        return torch.stack([part.sum() for part in parts])

    expectation = own_and_peer(old, advantages)
    samples = [
        old[a] * own_and_peer(one_hot, advantages[a].expand(3))
        for a, one_hot in enumerate(torch.eye(3, dtype=torch.float64))
    ]
    torch.testing.assert_close(expectation, torch.stack(samples).sum(dim=0))
    unclipped = (new * advantages).sum()  # what importance weights stand for
    assert expectation[1].item() == pytest.approx(unclipped.item(), abs=1e-9)


@given(p=simplex, q=simplex)
def test_discrepancies_are_distances(p: Tensor, q: Tensor) -> None:
    for kind in ("l2", "tv"):
        there, back = (discrepancy(x.log(), y.log(), kind) for x, y in ((p, q), (q, p)))
        assert 0.0 <= there.item() == pytest.approx(back.item())
        assert discrepancy(p.log(), p.log(), kind).item() == 0.0
    l2, tv = (discrepancy(p.log(), q.log(), kind).item() for kind in ("l2", "tv"))
    assert tv <= 1.0
    assert 4 * tv**2 / 3 - 1e-12 <= l2 <= 2 * tv**2 + 1e-12  # norms on three actions


def test_probabilities_are_exponentials_and_zero_where_illegal() -> None:
    logits = torch.tensor([0.3, -20.0, 2.0, 7.0])
    log_probs = masked_log_softmax(logits, torch.tensor([True, True, True, False]))
    torch.testing.assert_close(probabilities(log_probs), log_probs.exp(), rtol=3e-6, atol=0.0)
    assert probabilities(log_probs)[3].item() == 0.0


def test_illegal_actions_leave_every_gradient_finite() -> None:
    logits = torch.zeros((1, 2, 2), requires_grad=True)
    told = torch.zeros((1, 2, 1, 2), requires_grad=True)
    mask = torch.tensor([[[True, False], [True, True]]])
    mine = masked_log_softmax(logits, mask)
    shared = mine.detach().flip(1).unsqueeze(2)
    own = replace(OWN, log_probs=mine, old_log_probs=mine.detach(), weights=TAKEN.flip(2))
    peers = replace(
        PEERS,
        suggestions=torch.log_softmax(shared + told, dim=-1),
        policies=shared,
        old_policies=shared,
    )
    received = replace(RECEIVED, suggestions=mine.detach().unsqueeze(2))
    for surrogate in ("product", "additive"):
        weights = replace(WEIGHTS, surrogate=surrogate, ent_coef=0.1, indicators=False)
        total = gains(own, peers, received, weights).sum()
        for gradient in torch.autograd.grad(total, [logits, told], retain_graph=True):
            assert torch.isfinite(gradient).all()


def test_a_ratio_of_densities_is_clipped_and_one_of_probabilities_is_not() -> None:
    far = replace(PEERS, suggestions=PEERS.old_policies + 1.0, advantages=PEERS.weights * 2.0)
    finite = suggestion_surrogate(far, 0.2)
    normal = suggestion_surrogate(far, 0.2, Normal(1))
    size = (far.weights * far.advantages).sum(dim=-1)
    torch.testing.assert_close(finite, math.e * size)
    torch.testing.assert_close(normal, 1.2 * size)

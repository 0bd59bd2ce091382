"""Metropolis weights by hand, and what averaging with them leads to."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ss_core.exchange.channel import Channel, ExchangeConfig
from ss_core.exchange.consensus import (
    adjacency_of,
    average_parameters,
    make_alike,
    metropolis_weights,
)
from ss_core.exchange.neighbourhood import all_to_all, from_graph

# a star of 0 with 1 and 2, and 3 hanging on 2: degrees 2, 1, 2, 1
STAR = torch.tensor([[0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]]) > 0
THIRD = 1 / 3


def test_metropolis_weights_match_the_hand_worked_case() -> None:
    # every link has an end of degree 2: 1 / (1 + 2)
    expected = [
        [THIRD, THIRD, THIRD, 0],
        [THIRD, 2 * THIRD, 0, 0],
        [THIRD, 0, THIRD, THIRD],
        [0, 0, THIRD, 2 * THIRD],
    ]
    for row, wanted in zip(metropolis_weights(STAR).tolist(), expected, strict=True):
        assert row == pytest.approx(wanted)


def test_among_all_weights_are_equal_and_alone_everything_stays() -> None:
    assert metropolis_weights(torch.ones(4, 4) > 0).flatten().tolist() == pytest.approx([0.25] * 16)
    assert torch.equal(metropolis_weights(torch.zeros(3, 3) > 0), torch.eye(3))


@given(seed=st.integers(0, 2**31), agents=st.integers(1, 8), density=st.floats(0.0, 1.0))
def test_rows_and_columns_sum_to_one_and_nobody_has_a_negative_weight(
    seed: int, agents: int, density: float
) -> None:
    draw = torch.Generator().manual_seed(seed)
    adjacency = torch.rand((agents, agents), generator=draw) < density
    weights = metropolis_weights(adjacency)
    torch.testing.assert_close(weights.sum(dim=0), torch.ones(agents))
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(agents))
    assert torch.equal(weights, weights.T)
    assert (weights > -1e-6).all()
    apart = ~(adjacency | adjacency.T | torch.eye(agents, dtype=torch.bool))
    assert (weights[apart] == 0).all()


def test_a_neighbourhood_and_its_matrix_say_the_same() -> None:
    off_diagonal = STAR & ~torch.eye(4, dtype=torch.bool)
    assert torch.equal(adjacency_of(from_graph(STAR)), off_diagonal)
    assert torch.equal(adjacency_of(all_to_all(3)), ~torch.eye(3, dtype=torch.bool))


def test_averaging_again_and_again_ends_at_the_mean_of_a_connected_graph() -> None:
    channel = Channel(ExchangeConfig(), 4, seed=0)
    params = {"w": torch.tensor([[0.0], [4.0], [8.0], [20.0]], requires_grad=True)}
    average_parameters(params, channel, "critic_parameters", from_graph(STAR), 0)
    assert params["w"].flatten().tolist() == pytest.approx([4.0, 8 / 3, 28 / 3, 16.0])
    for update in range(1, 100):
        average_parameters(params, channel, "critic_parameters", from_graph(STAR), update)
    assert params["w"].flatten().tolist() == pytest.approx([8.0] * 4, abs=1e-3)
    assert params["w"].is_leaf
    assert params["w"].requires_grad


def test_links_carry_parameters_in_both_directions_and_nobody_else_hears_them() -> None:
    channel = Channel(ExchangeConfig(), 4, seed=0)
    params = {"w": torch.zeros(4, 2, 5), "b": torch.zeros(4, 3)}
    average_parameters(params, channel, "policy_parameters", from_graph(STAR), 0)
    counted = {(r.sender, r.receiver): r.num_floats for r in channel.ledger.take_rows()}
    links = [(0, 1), (0, 2), (2, 3)]
    assert counted == dict.fromkeys([*links, *((j, i) for i, j in links)], 2 * 5 + 3)
    average_parameters(params, channel, "policy_parameters", None, 1)
    assert channel.ledger.take_rows() == []


def test_alike_is_like_the_first() -> None:
    params = {"w": torch.arange(6.0).reshape(3, 2).requires_grad_()}
    make_alike(params)
    assert params["w"].tolist() == [[0.0, 1.0]] * 3

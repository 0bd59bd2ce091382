"""Who talks to whom, what arrives where, and a ledger that can be counted on the fingers."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ss_core.exchange.channel import Channel, ExchangeConfig
from ss_core.exchange.ledger import BYTES_PER_FLOAT
from ss_core.exchange.neighbourhood import (
    Neighbourhood,
    all_to_all,
    from_graph,
    from_graphs,
    random_regular,
)

UNEVEN = torch.tensor([[1, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]) > 0


def pairs(where: Neighbourhood) -> set[tuple[int, int]]:
    """All (sender, receiver) of the lists of receivers."""
    return {
        (i, int(j))
        for i, (row, flags) in enumerate(zip(where.receivers, where.linked, strict=True))
        for j, flag in zip(row, flags, strict=True)
        if flag
    }


def inverse_pairs(where: Neighbourhood) -> set[tuple[int, int]]:
    """All (sender, receiver) of the lists of senders; slots must lead back to the receiver."""
    found = set()
    for j in range(len(where.senders)):
        for k in torch.nonzero(where.received[j]).flatten().tolist():
            sender, slot = int(where.senders[j, k]), int(where.slots[j, k])
            assert where.receivers[sender, slot] == j
            assert where.linked[sender, slot]
            found.add((sender, j))
    return found


@given(seed=st.integers(0, 2**31), agents=st.integers(2, 12), degree=st.integers(1, 12))
def test_random_neighbours_are_others_and_everybody_talks_as_much_as_it_is_talked_to(
    seed: int, agents: int, degree: int
) -> None:
    where = random_regular(agents, degree, np.random.default_rng(seed))
    wanted = min(degree, agents - 1)
    assert where.degree == wanted
    assert len(pairs(where)) == agents * wanted
    assert all(i != j for i, j in pairs(where))
    assert torch.bincount(where.receivers.flatten(), minlength=agents).tolist() == (
        [wanted] * agents
    )
    assert inverse_pairs(where) == pairs(where)


def test_random_neighbours_are_a_function_of_seed_and_update() -> None:
    def drawn(seed: int, update: int, *, redraw: bool = True) -> list[list[int]]:
        config = ExchangeConfig(protocol="random", num_neighbours=3, redraw=redraw)
        return Channel(config, 12, seed).neighbourhood(update).receivers.tolist()

    assert drawn(1, 5) == drawn(1, 5)
    assert drawn(1, 5) != drawn(1, 6)
    assert drawn(1, 5) != drawn(2, 5)
    assert drawn(1, 5, redraw=False) == drawn(1, 6, redraw=False)


def test_everybody_talks_to_everybody_else() -> None:
    where = all_to_all(3)
    assert where.receivers.tolist() == [[1, 2], [0, 2], [0, 1]]
    assert inverse_pairs(where) == pairs(where)


def test_a_graph_with_unequal_degrees_is_padded() -> None:
    where = from_graph(UNEVEN)  # its diagonal is ignored
    assert pairs(where) == {(0, 1), (0, 2), (0, 3), (1, 3), (3, 1)}
    assert inverse_pairs(where) == pairs(where)
    assert where.linked.sum(dim=1).tolist() == [3, 1, 0, 1]
    assert where.received.sum(dim=1).tolist() == [0, 2, 1, 2]
    assert where.receivers.tolist() == [[1, 2, 3], [3, 1, 1], [2, 2, 2], [1, 3, 3]]
    assert where.senders.tolist() == [[0, 0], [0, 3], [0, 0], [0, 1]]
    assert where.slots.tolist() == [[0, 0], [0, 0], [1, 0], [2, 0]]


def test_the_environments_graph_is_used_by_the_graph_protocol_alone() -> None:
    for config, expected in ((ExchangeConfig(protocol="graph"), 5), (ExchangeConfig(), 12)):
        channel = Channel(config, 4, seed=0)
        assert len(pairs(channel.neighbourhood(0, UNEVEN))) == expected


@given(seed=st.integers(0, 2**31), rows=st.integers(1, 5), agents=st.integers(2, 6))
def test_a_graph_that_changes_links_pairs_exactly_at_the_rows_they_meet(
    seed: int, rows: int, agents: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    graph = torch.rand((rows, agents, agents), generator=draw) < 0.3
    where = from_graphs(graph)
    met = where.at_every_row(rows)
    found = {(r, i, int(where.receivers[i, m])) for r, i, m in torch.nonzero(met).tolist()}
    wanted = {(r, i, j) for r, i, j in torch.nonzero(graph).tolist() if i != j}
    assert found == wanted
    assert met.sum() == len(wanted)  # no pair stands in two slots


def test_a_changing_graph_is_used_by_the_graph_protocol_alone() -> None:
    changing = torch.stack([UNEVEN, torch.zeros_like(UNEVEN)])
    where = Channel(ExchangeConfig(protocol="graph"), 4, seed=0).neighbourhood(0, changing)
    assert pairs(where) == pairs(from_graph(UNEVEN))
    assert where.at_every_row(2).sum(dim=(1, 2)).tolist() == [5, 0]
    where = Channel(ExchangeConfig(), 4, seed=0).neighbourhood(0, changing)
    assert where.present is None
    assert where.at_every_row(2).sum(dim=(1, 2)).tolist() == [12, 12]


def test_rows_are_mixed_and_counted_by_hand() -> None:
    channel = Channel(ExchangeConfig(), 3, seed=0)
    weights = torch.tensor([[0.5, 0.5, 0.0], [0.25, 0.5, 0.25], [0.0, 0.0, 1.0]])
    rows = {"w": torch.tensor([[[0.0, 4.0]], [[8.0, 0.0]], [[4.0, 4.0]]], requires_grad=True)}
    rows["b"] = torch.tensor([[0.0], [1.0], [2.0]])
    mixed = channel.mix("critic_parameters", rows, weights, update=5)
    assert mixed["w"].tolist() == [[[4.0, 2.0]], [[5.0, 2.0]], [[4.0, 4.0]]]
    assert mixed["b"].tolist() == [[0.5], [1.0], [2.0]]
    assert not mixed["w"].requires_grad
    counted = [
        (r.sender, r.receiver, r.num_messages, r.num_floats) for r in channel.ledger.take_rows()
    ]
    assert counted == [(0, 1, 1, 3), (1, 0, 1, 3), (2, 1, 1, 3)]  # 2 has no use for others


@pytest.mark.parametrize("where", [all_to_all(4), from_graph(UNEVEN)])
def test_messages_arrive_where_they_are_addressed(where: Neighbourhood) -> None:
    channel = Channel(ExchangeConfig(), 4, seed=0)
    valid = where.linked.expand(2, -1, -1)
    own = torch.arange(8.0).reshape(2, 4, 1)  # 4 b + agent
    shared = channel.share("own_policy", own, where, valid, update=0)
    addressed = own[:, :, None] * 100 + where.receivers[None, :, :, None]
    received, arrived = channel.send("suggestion", addressed, where, valid, update=0)
    reached = set()
    for b, i, m in torch.nonzero(valid).tolist():
        assert shared[b, i, m].item() == 4 * b + where.receivers[i, m].item()
    for b, j, k in torch.nonzero(arrived).tolist():
        number = int(received[b, j, k].item())
        assert number % 100 == j  # it was meant for j
        reached.add((number // 100 - 4 * b, j))
    assert reached == pairs(where)
    assert not shared.requires_grad
    assert arrived.sum() == 2 * len(pairs(where))


def test_no_gradient_passes_the_channel() -> None:
    channel, where = Channel(ExchangeConfig(), 2, seed=0), all_to_all(2)
    valid = torch.ones((1, 2, 1), dtype=torch.bool)
    own = torch.ones((1, 2, 3), requires_grad=True)
    shared = channel.share("own_policy", own, where, valid, 0)
    received, _ = channel.send("suggestion", own[:, :, None], where, valid, 0)
    assert not shared.requires_grad
    assert not received.requires_grad


def test_ledger_counts_what_was_said_by_hand() -> None:
    channel, where = Channel(ExchangeConfig(), 3, seed=0), all_to_all(3)
    decided = torch.tensor([[1, 1, 0], [1, 0, 0]]) > 0  # agent 0 twice, agent 1 once, agent 2 never
    valid = decided[:, where.receivers.flatten()].unflatten(1, (3, 2))
    own, suggested = torch.zeros(2, 3, 4), torch.zeros(2, 3, 2, 4)
    channel.announce("announcement", 6, where, valid, update=7)
    for _ in range(2):
        channel.share("own_policy", own, where, valid, update=7)
    channel.send("suggestion", suggested, where, valid, update=7)
    rows = channel.ledger.take_rows()
    counted = [(r.kind, r.sender, r.receiver, r.num_messages, r.num_floats) for r in rows]
    assert counted == [
        ("announcement", 0, 1, 1, 12),
        ("announcement", 0, 2, 1, 12),
        ("announcement", 1, 0, 1, 6),
        ("announcement", 1, 2, 1, 6),
        ("own_policy", 0, 1, 2, 16),  # two passes of two distributions over four actions
        ("own_policy", 0, 2, 2, 16),
        ("own_policy", 1, 0, 2, 8),
        ("own_policy", 1, 2, 2, 8),
        ("suggestion", 0, 1, 1, 4),  # suggestions for agent 0 come from 1 and 2
        ("suggestion", 1, 0, 1, 8),
        ("suggestion", 2, 0, 1, 8),
        ("suggestion", 2, 1, 1, 4),
    ]
    assert {r.update for r in rows} == {7}
    assert all(r.num_bytes == BYTES_PER_FLOAT * r.num_floats == 4 * r.num_floats for r in rows)
    by_kind = {"announcement": 36 * 4, "own_policy": 48 * 4, "suggestion": 24 * 4}
    assert channel.ledger.bytes_by_kind() == by_kind
    assert channel.ledger.num_bytes() == sum(by_kind.values())
    assert channel.ledger.take_rows() == []


def test_ledger_totals_survive_a_checkpoint() -> None:
    channel, where = Channel(ExchangeConfig(), 2, seed=0), all_to_all(2)
    valid = torch.ones((3, 2, 1), dtype=torch.bool)
    channel.announce("announcement", 5, where, valid, update=0)
    other = Channel(ExchangeConfig(), 2, seed=0)
    other.ledger.restore(channel.ledger.state())
    for each in (channel, other):
        each.announce("announcement", 5, where, valid, update=1)
        assert each.ledger.num_bytes() == 2 * 2 * 3 * 5 * 4
    assert [r.update for r in other.ledger.take_rows()] == [1, 1]


def test_exchanges_happen_at_every_kth_update_and_never_alone() -> None:
    channel = Channel(ExchangeConfig(every=3), 4, seed=0)
    assert [u for u in range(10) if channel.exchanges_at(u)] == [0, 3, 6, 9]
    assert not any(channel.closed().exchanges_at(u) for u in range(10))


@pytest.mark.parametrize("wrong", [{"num_neighbours": 0}, {"every": 0}])
def test_senseless_protocols_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ExchangeConfig(**wrong)
